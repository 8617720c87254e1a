"""Purpose: the paper's Tables II to V on a corpus that you have: its recipe, its random split, and
people apart beside it.

Cost: RAVDESS from pixels hours on one GPU for each network and seed, CREMA-D five times that,
CMU-MOSEI's sequences an hour. Not run here for want of the videos; its parts are.

    python experiments/paper_tables.py ravdess RAVDESS WORK
    python experiments/paper_tables.py cremad CREMA-D WORK --rows figure it4 ct4
    python experiments/paper_tables.py mosei CMU-MOSEI WORK

Prepares the corpus, cross-validates every network (configs/CORPUS) under both protocols, and
writes WORK/CORPUS.md and CORPUS.json with what the paper says beside. Stop it at any time; it goes
on where it was, and a call with other --rows adds to the table. Takes that cannot be read are said
and left out.

The paper's video weights start from EfficientFace (AffectNet-7), for which its authors publish a
file. Here they start fresh, unless they are given; what fits the figure's trunk is taken, and the
rest then starts alike in every seed:

    avtca convert EfficientFace_Trained_on_AffectNet7.pth.tar --to figure --out FOLDER
    python experiments/paper_tables.py ravdess RAVDESS WORK --set model.init_from=FOLDER/figure
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
from ravdess import Materials

from avtca.cli.prepare import FAILED
from avtca.errors import AvtcaError
from avtca.evaluation.aggregate import BINARY_METRICS
from avtca.evaluation.comparison import cell, load_system
from avtca.evaluation.metrics import binary_confusions
from avtca.files import write_atomic
from avtca.training.config import ExperimentConfig
from avtca.training.config_file import load_experiment
from avtca.training.cross_validate import cross_validate
from avtca.training.fold import initial_weights

CONFIGS = Path(__file__).parents[1] / "configs"
FIGURES = {"accuracy": "accuracy", "weighted_f1": "F1"}
"""The paper's two, by our names."""
FREE = (
    "data.corpus",
    "data.folds",
    "data.fold",
    "data.allow_leak",
    "train.device",
    "train.workers",
)
"""In what the cells of a table may differ."""


class Corpus(NamedTuple):
    """``first``: the configuration of the paper's own network; ``folds``: the paper's kind of
    split, then one that keeps people apart; ``paper``: accuracy and F1, as far as it tells."""

    first: str
    table: str
    folds: tuple[str, str]
    paper: dict[str, tuple[float, float | None]]
    prepare: tuple[str, ...] = ()
    note: str = ""


CORPORA = {
    "ravdess": Corpus(
        "paper_random_80_20",
        "II",
        ("paper_random_80_20", "ravdess_6fold"),
        {"figure": (96.11, 93.78), "it4": (76.41, None), "ct4": (76.00, None)},
    ),
    "cremad": Corpus(
        "paper_random_80_20",
        "IV",
        ("random_80_20", "cremad_5fold"),
        {"figure": (94.13, 94.67), "it4": (71.50, None), "ct4": (72.10, None)},
    ),
    "mosei": Corpus(
        "paper_random_80_20",
        "III",
        ("random_80_20", "mosei_official"),
        {"figure": (95.84, 94.13), "it4": (67.72, None), "ct4": (64.94, None)},
        ("--spec", str(CONFIGS / "mosei" / "clipspec.json")),
        "Several emotions may hold at once: accuracy here is the mean of six two-class accuracies, "
        "F1 the mean over the six of the weighted F1 of present and absent. Most emotions are "
        "absent from most segments, so that always saying no scores high: see the last row. What "
        "the paper counts as its accuracy is not known here.",
    ),
}
"""arXiv 2407.18552, Tables II to V; the split is random over clips."""


def rows_of(corpus: str) -> dict[str, Path]:
    """Network -> its configuration; Table V's IT-4 + CT-4 is the figure."""
    found = sorted((CONFIGS / corpus / "ablation").glob("*.yaml"))
    first = {"figure": CONFIGS / corpus / f"{CORPORA[corpus].first}.yaml"}
    return first | {path.stem: path for path in found if path.stem != "it4_ct4"}


def under(folds: str) -> list[str]:
    """Changes of a configuration for a protocol."""
    return [f"data.folds={folds}", f"data.allow_leak={'true' if 'random' in folds else 'false'}"]


def prepare(corpus: str, folder: Path, out: Path, options: Sequence[str]) -> str:
    """Run `avtca prepare`; a sentence on samples that cannot be read, empty where all can.

    It ends with the same status for those and for what it refuses; `failures.csv` and the counts
    of `corpus.json` it writes only when it came to its end.
    """
    listed = out / "failures.csv"
    listed.unlink(missing_ok=True)
    command = [sys.executable, "-m", "avtca", "prepare", corpus, str(folder), "--out", str(out)]
    code = subprocess.run([*command, *options]).returncode
    if not code:
        return ""
    if code != FAILED or not listed.exists():
        raise SystemExit(code)
    with listed.open(newline="", encoding="utf-8") as file:
        failed = sum(1 for _ in csv.DictReader(file))
    counts = json.loads((out / "corpus.json").read_text()).get("counts", {})
    if counts.get("failed") != failed:
        raise SystemExit(code)
    of = failed + counts["samples"]
    return (
        f"{failed} of {of} samples could not be used and are in no split; which and why: {listed}"
    )


def finished(
    runs: Path, corpus: str, experiment: ExperimentConfig, data_hash: str
) -> dict[str, Any]:
    """Row -> protocol -> figures, of every cell that is finished, whichever call made it.

    Cells of other data or of another recipe do not belong in the table and are left out.
    """
    results: dict[str, dict[str, Any]] = {}
    random, wanted = CORPORA[corpus].folds[0], settings(experiment.resolved())
    wanted["started"] = initial_weights(experiment)
    for row in rows_of(corpus):
        done = {path.parts[-3]: path.parent for path in runs.glob(f"*/{row}/result.json")}
        for protocol in sorted(done, key=lambda name: (name != random, name)):
            begun = json.loads((done[protocol] / "config.json").read_text())
            same = settings(begun["config"]) | {"started": begun.get("init_from")}
            if (begun["data"]["data_hash"], same) == (data_hash, wanted):
                results.setdefault(row, {})[protocol] = figures(done[protocol])
    return results


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What all cells of a table share in their resolved configurations."""
    return {
        f"{part}.{key}": value
        for part in ("data", "input", "train")
        for key, value in config[part].items()
        if f"{part}.{key}" not in FREE
    }


def figures(folder: Path) -> dict[str, Any]:
    """A finished cell's figures; where several labels may hold, what "no" to all gets, too."""
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    answers = load_system(folder).joined[0]
    if answers.binary:
        truth = answers.targets > 0.5
        never = binary_confusions(truth, np.zeros_like(truth))
        found["always_no"] = {
            name: [float(BINARY_METRICS[name](never)), None, None] for name in FIGURES
        }
    return found


def markdown(corpus: str, results: Mapping[str, Mapping[str, Any]], missing: str = "") -> str:
    """Networks down, protocols across, each with accuracy and F1; the paper's first."""
    told = CORPORA[corpus]
    found = {name: one for by_protocol in results.values() for name, one in by_protocol.items()}
    heads = [f"{where}: {name}" for where in ("paper", *found) for name in FIGURES.values()]
    lines = [
        f"{corpus}: accuracy and weighted F1 in %, mean over seeds [95 % interval over people]; "
        f"the paper's figures are of Tables {told.table} and V, its split is random over clips.",
        *([told.note] if told.note else []),
        *([f"{missing}."] if missing else []),
        "",
        "| network | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(heads),
    ]
    for row, by_protocol in results.items():
        paper = ["" if x is None else f"{x:.2f}" for x in told.paper.get(row, (None, None))]
        lines.append(line(f"`{row}`", paper, [by_protocol.get(name, {}) for name in found]))
    never = [one.get("always_no", {}) for one in found.values()]
    if any(never):
        lines.append(line("always no", ["", ""], never))
    caveats = {name: one.get("split_audit", "clean") for name, one in found.items()}
    lines += [f"\n`{name}`: {caveat}" for name, caveat in caveats.items() if caveat != "clean"]
    return "\n".join(lines) + "\n"


def line(head: str, paper: Sequence[str], by_protocol: Sequence[Mapping[str, Any]]) -> str:
    """A row of the table; empty where there is no figure."""
    cells = [cell(one[name]) if name in one else "" for one in by_protocol for name in FIGURES]
    return f"| {head} | " + " | ".join([*paper, *cells]) + " |"


def device_of(action: str) -> str:
    """What Lightning trains on where the recipe says ``action``."""
    if action != "auto":
        return action
    trainer = lightning.Trainer(devices=1, logger=False, enable_checkpointing=False)
    return str(trainer.strategy.root_device)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", choices=list(CORPORA))
    parser.add_argument("folder", type=Path, help="the corpus as its owners ship it")
    parser.add_argument("work", type=Path)
    parser.add_argument("--rows", nargs="+", help="networks [default: all]")
    parser.add_argument("--prepare", default="", help='options of avtca prepare: "--workers 8"')
    parser.add_argument("--set", nargs="*", default=[], help="changes, as of avtca train")
    args = parser.parse_args(arguments)
    told, rows = CORPORA[args.corpus], rows_of(args.corpus)
    if unknown := sorted(set(args.rows or ()) - set(rows)):
        parser.error(f"no row {unknown[0]}; there are {', '.join(rows)}")
    first = load_experiment(rows["figure"], args.set)
    print(f"training on {device_of(first.train.device)}", flush=True)
    start = first.model.init_from
    print(
        "weights start " + (f"from {start}" if start else "fresh, the paper's from EfficientFace")
    )
    prepared = args.work / "prepared" / args.corpus
    options = (*told.prepare, *shlex.split(args.prepare))
    missing = prepare(args.corpus, args.folder, prepared, options)
    if missing:
        print(f"warning: {missing}", file=sys.stderr, flush=True)
    runs = args.work / "runs" / args.corpus
    results: dict[str, Any] = {}
    materials = Materials()
    for folds in told.folds:
        for row in args.rows or rows:
            action = [f"data.corpus={prepared}", f"name={row}", *under(folds), *args.set]
            experiment = load_experiment(rows[row], action)
            data_module = materials.of(experiment)
            protocol = data_module.folds.name
            print(f"{protocol}, {row}", flush=True)
            cross_validate(experiment, data_module, runs / protocol / row, progress=True)
            data_hash = data_module.provenance["data_hash"]
            results = finished(runs, args.corpus, experiment, data_hash)
            write_atomic(args.work / f"{args.corpus}.json", json.dumps(results, indent=1))
            table = markdown(args.corpus, results, missing)
            write_atomic(args.work / f"{args.corpus}.md", table)
    print(markdown(args.corpus, results, missing))


if __name__ == "__main__":
    try:
        main()
    except AvtcaError as error:
        raise SystemExit(f"error: {error}") from None
