"""Purpose: the paper's Tables II to V on a corpus that you have: its recipe, its split, and people
apart beside it.

Cost: RAVDESS from pixels hours on one GPU for each network and seed, CREMA-D five times that,
CMU-MOSEI's sequences an hour. Not run here for want of the videos; its parts are.

    python runs/paper_tables.py ravdess RAVDESS WORK
    python runs/paper_tables.py cremad CREMA-D WORK --rows figure it4 ct4
    python runs/paper_tables.py mosei CMU-MOSEI WORK

Prepares the corpus, cross-validates every network (configs/CORPUS) under both protocols, and
writes WORK/CORPUS.md and CORPUS.json with what the paper says beside. Stop it at any time; it goes
on where it was. CMU-MOSEI has its official folds alone.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ravdess import Materials

from avtca.evaluation.comparison import cell
from avtca.files import write_atomic
from avtca.training.cv import cross_validate
from avtca.training.experiment import load_experiment

CONFIGS = Path(__file__).parents[1] / "configs"


class Corpus(NamedTuple):
    """``first``: the configuration of the paper's own network, which the ablations extend;
    ``apart``: changes that keep people apart, none where they are already; ``paper``: accuracy."""

    first: str
    table: str
    apart: tuple[str, ...]
    paper: dict[str, float]
    prepare: tuple[str, ...] = ()


CORPORA = {
    "ravdess": Corpus(
        "paper_random_80_20",
        "II",
        ("data.folds=ravdess_6fold", "data.allow_leak=false"),
        {"figure": 96.11, "it4": 76.41, "ct4": 76.00},
    ),
    "cremad": Corpus(
        "paper_random_80_20",
        "IV",
        ("data.folds=cremad_5fold", "data.allow_leak=false"),
        {"figure": 94.13, "it4": 71.50, "ct4": 72.10},
    ),
    "mosei": Corpus(
        "paper_recipe",
        "III",
        (),
        {"figure": 95.84, "it4": 67.72, "ct4": 64.94},
        ("--spec", str(CONFIGS / "mosei" / "clipspec.json")),
    ),
}
"""arXiv 2407.18552, Tables II to V; the split is random over clips."""


def rows_of(corpus: str) -> dict[str, Path]:
    """Network -> its configuration; Table V's IT-4 + CT-4 is the figure."""
    found = sorted((CONFIGS / corpus / "ablation").glob("*.yaml"))
    first = {"figure": CONFIGS / corpus / f"{CORPORA[corpus].first}.yaml"}
    return first | {path.stem: path for path in found if path.stem != "it4_ct4"}


def markdown(corpus: str, results: dict[str, dict[str, Any]]) -> str:
    """Networks down, protocols across."""
    told = CORPORA[corpus]
    protocols = list(dict.fromkeys(name for row in results.values() for name in row))
    lines = [
        f"{corpus}: accuracy in %, mean over seeds [95 % interval over people]; the paper's "
        f"figures are of Tables {told.table} and V.",
        "",
        "| network | paper | " + " | ".join(protocols) + " |",
        "|---|---|" + "---|" * len(protocols),
    ]
    for row, by_protocol in results.items():
        cells = []
        for name in protocols:
            found = by_protocol.get(name, {}).get("accuracy")
            cells.append("" if found is None else cell(found))
        paper = told.paper.get(row)
        lines.append(f"| `{row}` | {paper or ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=list(CORPORA))
    parser.add_argument("folder", type=Path, help="the corpus as its owners ship it")
    parser.add_argument("work", type=Path)
    parser.add_argument("--rows", nargs="+", help="networks [default: all]")
    parser.add_argument("--prepare", default="", help='options of avtca prepare: "--workers 8"')
    parser.add_argument("--set", nargs="*", default=[], help="changes, as of avtca train")
    args = parser.parse_args()
    told, rows = CORPORA[args.corpus], rows_of(args.corpus)
    if unknown := sorted(set(args.rows or ()) - set(rows)):
        parser.error(f"no row {unknown[0]}; there are {', '.join(rows)}")
    prepared = args.work / "prepared" / args.corpus
    command = [sys.executable, "-m", "avtca", "prepare", args.corpus, str(args.folder)]
    options = (*told.prepare, *shlex.split(args.prepare))
    subprocess.run([*command, "--out", str(prepared), *options], check=True)
    results: dict[str, dict[str, Any]] = {}
    materials = Materials()
    for changes in ((), told.apart) if told.apart else ((),):
        for row in args.rows or rows:
            asked = [f"data.corpus={prepared}", f"name={row}", *changes, *args.set]
            experiment = load_experiment(rows[row], asked)
            material = materials.of(experiment)
            protocol = material.folds.name
            print(f"{protocol}, {row}", flush=True)
            folder = args.work / "runs" / args.corpus / protocol / row
            found = cross_validate(experiment, material, folder, progress=True)
            results.setdefault(row, {})[protocol] = found
            write_atomic(args.work / f"{args.corpus}.json", json.dumps(results, indent=1))
            write_atomic(args.work / f"{args.corpus}.md", markdown(args.corpus, results))
    print(markdown(args.corpus, results))


if __name__ == "__main__":
    main()
