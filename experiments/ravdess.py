"""Purpose: the RAVDESS table: every network, protocol and seed on audio + face sequences.

Cost: see `--list`; about an hour and a half on one core for all rows on Luna-Jimenez's folds with
one seed.

    python experiments/ravdess.py ../shared/corpora/ravdess WORK [--budget 120] [--rows figure best]

Stop it at any time, and start it in several shells at once: each cell (a row of the table under
a protocol with a seed) is a folder that is claimed by one process, goes on where it was, and is
a JSON in WORK/cells at its end. `best` starts from the voice in experiments/default_model/pretrained, or
another that experiments/default_model/voice.py made (--voice; on standardised samples from the one that it
made with --standardise, beside it),
`best_scratch` from nothing. `experiments/ravdess_table.py` makes the table from whatever is
there, and keeps the answers beside it: a cell that is kept, of the same recipe, is not trained
again.
"""

import argparse
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from avtca.corpora import load_ravdess_features
from avtca.data.data_module import DataModule
from avtca.errors import AvtcaError
from avtca.files import write_atomic
from avtca.training.config import ExperimentConfig
from avtca.training.config_file import load_experiment
from avtca.training.cross_validate import cross_validate
from avtca.training.fold import load_data_module
from avtca.training.trainer import torch_threads

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "ravdess_sequences"
VOICE = ROOT / "experiments" / "default_model" / "pretrained" / "voice" / "last"
KEPT = ROOT / "experiments" / "results" / "ravdess"
"""Answers of finished cells, PROTOCOL/ROW/seedN.csv.gz, and what made them, cells.json."""
PROTOCOLS = {
    "luna_5fold": [],
    "luna_5fold_standardised": [
        "data.normalise=speaker",
        "model.sizes.probabilities=0",
        "model.sizes.audio_norm=none",
    ],
    "6fold": ["data.folds=ravdess_6fold"],
    "paper_random_80_20": ["data.folds=paper_random_80_20", "data.allow_leak=true"],
}
"""Changes of the configuration; the order is that of the runs. Standardised features are
no probabilities and no decibels any more and need no other norm: how loud a voice is beside itself
is worth knowing."""
SINGLE = ("audio_only", "video_only")
FUSIONS = (
    "mean_posterior",
    "concatenation",
    "late_transformer",
    "intermediate_attention",
    "intermediate_transformer",
    "it4",
    "ct4",
    "figure",
    "released",
    "best_scratch",
    "best_attention",
    "best",
)
SAME = {"it4_ct4": "figure"}
"""Rows of the paper's Table V that are another row's network; they are not trained twice."""
PRETRAINED = ("best", "best_attention")
"""Rows that start from the pretrained voice."""
CONFIG_OF = {"best_scratch": "best", "best_attention": "best"}
"""Rows that have no configuration of their own name."""
CHANGES = {
    "best_attention": (
        *("model.sizes.late=self_cross", "model.sizes.residual=true", "model.sizes.positions=true"),
        *("model.sizes.pooling=attentive", "model.sizes.fusion=late"),
    )
}
"""What a row changes in its configuration: here steps 6 and 7 of the figure, with what they were
given when they stood in `best`."""
LONG = ("mean_posterior", "concatenation", "figure")
"""Rows that are trained as long as `best` is, too."""
NOISE = ("mean_posterior", "concatenation", "figure", "best")
"""Rows that are trained with other microphones and backgrounds on the mel bands, too."""
HEARD = ("train.augmentation.channel_db=4", "train.augmentation.background=0.25")
"""As the packaged model is (experiments/default_model/fusion.py); not for standardised features, which
are no decibels."""
WITH_UNITS = ("video_only", "mean_posterior", "concatenation", "figure", "best_scratch", "best")
ROWS = (
    {name: (name, "expression7") for name in (*SINGLE, *FUSIONS)}
    | {f"{name}_long": (name, "expression7") for name in LONG}
    | {f"{name}_noise": (name, "expression7") for name in NOISE}
    | {f"{name}+action_units": (name, "expression7+action_units35") for name in WITH_UNITS}
)
"""Row -> what is trained, video features."""
SAMPLE_FEATURES = ["model.sizes.utterance_features=35"]
"""Of `best`, which has an expert for them: action units are of a whole sample."""
DIMS = {"expression7": 7, "expression7+action_units35": 42}


class OutOfTime(Exception):
    """The budget is spent."""


@dataclass(frozen=True)
class Cell:
    protocol: str
    row: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.protocol}/{self.row}/seed{self.seed}"

    def experiment(
        self, work: Path, changes: list[str], voice: Path | None = None
    ) -> ExperimentConfig:
        name, features = ROWS[self.row]
        corpus = work / "prepared" / features
        long = []
        if self.row.endswith("_long"):
            best = load_experiment(CONFIGS / "variants" / "best.yaml")
            long = [f"train.epochs={best.train.epochs}"]
        heard = HEARD if self.row.endswith("_noise") else ()
        own = SAMPLE_FEATURES if self.row.startswith("best") and "units" in features else []
        if voice is not None and self.protocol.endswith("standardised"):
            voice = voice.parent.with_name(f"{voice.parent.name}_standardised") / voice.name
        start = [f"model.init_from={voice}"] if name in PRETRAINED and voice is not None else []
        return load_experiment(
            CONFIGS / "variants" / f"{CONFIG_OF.get(name, name)}.yaml",
            [
                f"data.corpus={corpus}",
                f"seeds=[{self.seed}]",
                f"name={self.row}",
                *long,
                *heard,
                *own,
                *CHANGES.get(name, ()),
                *start,
                *PROTOCOLS[self.protocol],
                *changes,
            ],
        )


def recipe_of(experiment: ExperimentConfig) -> str:
    """Twelve digits of all that was asked for, wherever it lies on the disk."""
    told = experiment.model_dump(mode="json", exclude_defaults=True)
    told["data"].pop("corpus", None)
    if experiment.model.init_from is not None:
        told["model"]["init_from"] = named(Path(experiment.model.init_from))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def named(start: Path) -> str:
    """A voice's name, with its weights' hash where they are not those of that name in the
    repository."""
    name, card = start.parent.name, start.with_suffix(".json")
    ours = VOICE.parent.with_name(name) / VOICE.with_suffix(".json").name
    if not card.exists():
        return name
    sha = json.loads(card.read_text())["weights_sha256"]
    known = ours.exists() and json.loads(ours.read_text())["weights_sha256"] == sha
    return name if known else f"{name} {sha[:12]}"


def made_by(folder: Path) -> dict[str, object]:
    """Commits that the folds of a cell were begun with, and seconds that their training took."""
    begun = [json.loads(path.read_text()) for path in sorted(folder.glob("seed*/fold*/run.json"))]
    ended = [json.loads(path.read_text()) for path in sorted(folder.glob("seed*/fold*/done.json"))]
    return {
        "commit": ", ".join(dict.fromkeys(one["versions"]["commit"] for one in begun)),
        "seconds": round(sum(one["seconds_of_last_process"] for one in ended)),
    }


def kept_cells(kept: Path = KEPT) -> dict[str, dict[str, object]]:
    """Name of a cell -> its recipe, commit, seconds, sizes of its folds."""
    index = kept / "cells.json"
    return json.loads(index.read_text()) if index.exists() else {}


def finished(done: Path, kept: dict[str, object] | None, recipe: str) -> dict[str, object] | None:
    """What made a cell, where this machine has trained it or one of the same recipe is kept."""
    if done.exists():
        here = json.loads(done.read_text())
        if here["recipe"] == recipe:
            return here
    return kept if kept and kept["recipe"] == recipe else None


class Materials:
    """Takes and folds of a protocol; the last one stays in memory, windows and all."""

    def __init__(self) -> None:
        self.key: tuple[object, ...] = ()
        self.data_module: DataModule | None = None

    def of(self, experiment: ExperimentConfig) -> DataModule:
        told = experiment.data.model_dump_json(), experiment.input.model_dump_json()
        key = (*told, experiment.model.init_from)  # who is behind a start is looked at, too
        if key != self.key or self.data_module is None:
            self.data_module, self.key = None, key
            self.data_module = load_data_module(experiment)
        return self.data_module


def claim(folder: Path) -> bool:
    """Whether this process may work there; a claim of a process that is gone does not count."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, mine = folder / "claimed", folder / f".claim{os.getpid()}"
    mine.write_text(str(os.getpid()))
    try:
        for _ in range(2):
            try:
                os.link(mine, lock)  # there at once, with its content, or not at all
            except FileExistsError:
                owner = int(lock.read_text())
                if alive(owner):
                    return owner == os.getpid()
                lock.unlink(missing_ok=True)
            else:
                return True
    finally:
        mine.unlink()
    return False


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def prepare(corpus: Path, work: Path, features: str) -> None:
    """The samples with one kind of video features, prepared once."""
    from avtca.clipspec import ClipSpec
    from avtca.labels import RAVDESS

    spec = json.loads((CONFIGS / "clipspec.json").read_text())
    spec |= {"video_features": features, "video_dim": DIMS[features], "labels": RAVDESS}
    load_ravdess_features(corpus, ClipSpec(**spec), work / "prepared" / features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="RAVDESS's audio-only form")
    parser.add_argument("work", type=Path)
    parser.add_argument("--voice", type=Path, default=VOICE)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=list(PROTOCOLS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="changes, as of avtca train")
    parser.add_argument("--budget", type=float, default=0, help="minutes; 0 for no end")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="say what is done and what is not")
    args = parser.parse_args()
    # One seed of everything comes before the second seed of anything.
    cells = [
        Cell(protocol, row, seed)
        for seed in args.seeds
        for protocol in args.protocols
        for row in args.rows
        if not (protocol.endswith("standardised") and row.endswith("_noise"))
    ]
    kept = kept_cells()
    torch_threads(args.threads)
    started = time.monotonic()
    materials = Materials()

    def before(seed: int, fold: int) -> None:
        if args.budget and time.monotonic() - started > 60 * args.budget:
            raise OutOfTime
        print(f"  seed {seed}, fold {fold}", flush=True)

    for cell in cells:
        done = args.work / "cells" / f"{cell.name}.json"
        folder = args.work / "runs" / cell.protocol / cell.row / f"of_seed{cell.seed}"
        experiment = cell.experiment(args.work, args.set, args.voice)
        recipe = recipe_of(experiment)
        one = finished(done, kept.get(cell.name), recipe)
        if args.list:
            print(cell.name, "to do" if one is None else f"{one['seconds']} s")
            continue
        if one is not None or not claim(folder):
            continue
        prepare(args.corpus, args.work, ROWS[cell.row][1])
        print(cell.name, flush=True)
        try:
            result = cross_validate(experiment, materials.of(experiment), folder, before=before)
        except OutOfTime:
            print("the budget is spent; start it again to go on")
            return
        finally:
            (folder / "claimed").unlink(missing_ok=True)
        value = {
            **result,
            "row": cell.row,
            "protocol": cell.protocol,
            "seed": cell.seed,
            "recipe": recipe,
            **made_by(folder),
            "changes": args.set,
        }
        done.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(done, json.dumps(value, indent=1))
        print(f"  accuracy {100 * result['accuracy'][0]:.1f} %, {value['seconds']} s", flush=True)


if __name__ == "__main__":
    try:
        main()
    except AvtcaError as error:
        raise SystemExit(f"error: {error}") from None
