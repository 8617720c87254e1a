"""Purpose: the paper's Tables II to V on a corpus that you have: its training settings and random
split, and the same with a speaker-independent split.

Cost: RAVDESS from pixels hours on one GPU for each network and seed, CREMA-D five times that,
CMU-MOSEI's sequences an hour. Not run here, because the videos are not available; its parts are
tested.

    python experiments/paper_tables.py ravdess RAVDESS WORK
    python experiments/paper_tables.py cremad CREMA-D WORK --systems figure it4 ct4
    python experiments/paper_tables.py mosei CMU-MOSEI WORK

Prepares the corpus, cross-validates every network of configs/sweep.yaml under both protocols, and
writes WORK/CORPUS.md and CORPUS.json, with the paper's figures for comparison. It can be stopped
at any time and resumes; a call with other --systems adds to the table. Samples that cannot be
decoded are reported and left out.

The paper initialises its video weights from EfficientFace (AffectNet-7), whose authors publish a
file. Here all weights are fresh unless a checkpoint is given; tensors that fit the trunk of
`figure` are copied, and the rest starts alike in every seed:

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
from ravdess import LastDataModule, sweep

from avtca.cli.prepare import FAILED
from avtca.errors import AvtcaError
from avtca.evaluation.aggregate import BINARY_METRICS
from avtca.evaluation.comparison import load_system
from avtca.evaluation.metrics import binary_confusions
from avtca.evaluation.report import format_percent
from avtca.files import write_atomic
from avtca.training.config import ExperimentConfig
from avtca.training.config_file import load_experiment
from avtca.training.cross_validate import cross_validate
from avtca.training.fold import initial_weights

CONFIGS = Path(__file__).parents[1] / "configs"
FIGURES = {"accuracy": "accuracy", "weighted_f1": "F1"}
"""Metrics of this project -> those of the paper."""
MAY_DIFFER = (
    "data.corpus",
    "data.folds",
    "data.fold",
    "data.allow_leak",
    "train.device",
    "train.workers",
)
"""Settings in which the runs of one table may differ."""


class Corpus(NamedTuple):
    """How to make the table of one corpus.

    ``table``: its number in the paper; ``folds``: a random split and a speaker-independent one;
    ``paper``: the published accuracy and F1, if any; ``prepare``: options of `avtca prepare`.
    """

    table: str
    folds: tuple[str, str]
    paper: dict[str, tuple[float, float | None]]
    prepare: tuple[str, ...] = ()
    note: str = ""


CORPORA = {
    "ravdess": Corpus(
        "II",
        ("paper_random_80_20", "ravdess_6fold"),
        {"figure": (96.11, 93.78), "it4": (76.41, None), "ct4": (76.00, None)},
    ),
    "cremad": Corpus(
        "IV",
        ("random_80_20", "cremad_5fold"),
        {"figure": (94.13, 94.67), "it4": (71.50, None), "ct4": (72.10, None)},
    ),
    "mosei": Corpus(
        "III",
        ("random_80_20", "mosei_official"),
        {"figure": (95.84, 94.13), "it4": (67.72, None), "ct4": (64.94, None)},
        ("--spec", str(CONFIGS / "mosei" / "clipspec.json")),
        "Multi-label: accuracy here is the mean of six binary accuracies, F1 the mean of the six "
        "weighted F1 of present and absent. Most emotions are absent from most segments, so that "
        "always predicting absence scores high: see the last row. How the paper defines its "
        "accuracy is not known.",
    ),
}
"""arXiv 2407.18552, Tables II to V; the split is random over clips."""


def config_of(corpus: str) -> str:
    """The configuration that all networks of a table share, relative to configs/."""
    return f"{corpus}/paper_random_80_20.yaml"


def protocol_changes(folds: str) -> list[str]:
    """Changes of a configuration for a protocol."""
    return [f"data.folds={folds}", f"data.allow_leak={'true' if 'random' in folds else 'false'}"]


def prepare(corpus: str, folder: Path, out: Path, options: Sequence[str]) -> str:
    """Run `avtca prepare`; returns a sentence on samples that could not be decoded, or "".

    The command ends with the same status for those and for a refusal, but writes `failures.csv` and
    the counts of `corpus.json` only if it has processed the whole corpus.
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
    """System -> protocol -> figures of every finished run, whichever call made it.

    Runs with other data or other training settings are left out.
    """
    results: dict[str, dict[str, Any]] = {}
    random, wanted = CORPORA[corpus].folds[0], settings(experiment.resolved())
    wanted["started"] = initial_weights(experiment)
    for system in sweep(config_of(corpus)):
        done = {path.parts[-3]: path.parent for path in runs.glob(f"*/{system}/result.json")}
        for protocol in sorted(done, key=lambda name: (name != random, name)):
            begun = json.loads((done[protocol] / "config.json").read_text())
            same = settings(begun["config"]) | {"started": begun.get("init_from")}
            if (begun["data"]["data_hash"], same) == (data_hash, wanted):
                results.setdefault(system, {})[protocol] = figures(done[protocol])
    return results


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that all runs of a table share."""
    return {
        f"{part}.{key}": value
        for part in ("data", "input", "train")
        for key, value in config[part].items()
        if f"{part}.{key}" not in MAY_DIFFER
    }


def figures(folder: Path) -> dict[str, Any]:
    """The figures of a finished run; if multi-label also those of always predicting absence."""
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
    """The table: one line per network, accuracy and F1 of the paper and of each protocol."""
    table = CORPORA[corpus]
    found = {name: one for by_protocol in results.values() for name, one in by_protocol.items()}
    heads = [f"{where}: {name}" for where in ("paper", *found) for name in FIGURES.values()]
    lines = [
        f"{corpus}: accuracy and weighted F1 in %, mean over seeds [95 % interval over speakers]; "
        f"the paper's figures are from Tables {table.table} and V, with a split random over clips.",
        *([table.note] if table.note else []),
        *([f"{missing}."] if missing else []),
        "",
        "| network | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(heads),
    ]
    for system, by_protocol in results.items():
        paper = ["" if x is None else f"{x:.2f}" for x in table.paper.get(system, (None, None))]
        lines.append(line(f"`{system}`", paper, [by_protocol.get(name, {}) for name in found]))
    never = [one.get("always_no", {}) for one in found.values()]
    if any(never):
        lines.append(line("always absent", ["", ""], never))
    caveats = {name: one.get("split_audit", "clean") for name, one in found.items()}
    lines += [f"\n`{name}`: {caveat}" for name, caveat in caveats.items() if caveat != "clean"]
    return "\n".join(lines) + "\n"


def line(head: str, paper: Sequence[str], by_protocol: Sequence[Mapping[str, Any]]) -> str:
    """A line of the table; empty where there is no figure."""
    cells = [
        format_percent(one[name]) if name in one else "" for one in by_protocol for name in FIGURES
    ]
    return f"| {head} | " + " | ".join([*paper, *cells]) + " |"


def device_of(setting: str) -> str:
    """The device that Lightning chooses for a setting."""
    if setting != "auto":
        return setting
    trainer = lightning.Trainer(devices=1, logger=False, enable_checkpointing=False)
    return str(trainer.strategy.root_device)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", choices=list(CORPORA))
    parser.add_argument("folder", type=Path, help="the corpus as its owners ship it")
    parser.add_argument("work", type=Path)
    parser.add_argument("--systems", nargs="+", help="networks [default: all]")
    parser.add_argument("--prepare", default="", help='options of avtca prepare: "--workers 8"')
    parser.add_argument("--set", nargs="*", default=[], help="changes, as in avtca train")
    args = parser.parse_args(arguments)
    table, config = CORPORA[args.corpus], CONFIGS / config_of(args.corpus)
    systems = sweep(config_of(args.corpus))
    if unknown := sorted(set(args.systems or ()) - set(systems)):
        parser.error(f"no system {unknown[0]}; there are {', '.join(systems)}")
    first = load_experiment(config, args.set)
    print(f"training on {device_of(first.train.device)}", flush=True)
    start = first.model.init_from
    print(
        f"initial weights: {start}"
        if start
        else "initial weights: fresh (the paper: EfficientFace)"
    )
    prepared = args.work / "prepared" / args.corpus
    options = (*table.prepare, *shlex.split(args.prepare))
    missing = prepare(args.corpus, args.folder, prepared, options)
    if missing:
        print(f"warning: {missing}", file=sys.stderr, flush=True)
    runs = args.work / "runs" / args.corpus
    results: dict[str, Any] = {}
    modules = LastDataModule()
    for folds in table.folds:
        for system in args.systems or systems:
            changes = [f"data.corpus={prepared}", f"name={system}", *systems[system]]
            changes += [*protocol_changes(folds), *args.set]
            experiment = load_experiment(config, changes)
            data_module = modules.of(experiment)
            protocol = data_module.folds.name
            print(f"{protocol}, {system}", flush=True)
            cross_validate(experiment, data_module, runs / protocol / system, progress=True)
            data_hash = data_module.provenance["data_hash"]
            results = finished(runs, args.corpus, experiment, data_hash)
            write_atomic(args.work / f"{args.corpus}.json", json.dumps(results, indent=1))
            text = markdown(args.corpus, results, missing)
            write_atomic(args.work / f"{args.corpus}.md", text)
    print(markdown(args.corpus, results, missing))


if __name__ == "__main__":
    try:
        main()
    except AvtcaError as error:
        raise SystemExit(f"error: {error}") from None
