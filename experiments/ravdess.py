"""Purpose: train every system of the RAVDESS table, under every protocol and with every seed.

Cost: see `--list`; about an hour and a half on one core for all systems on Luna-Jimenez's folds
with one seed.

    python experiments/ravdess.py ../shared/corpora/ravdess WORK \
        [--budget 120] [--systems figure experts]

It can be stopped at any time and started in several shells at once. Each run (a system under a
protocol with a seed) is a folder that one process claims; an interrupted run resumes, and a
finished run writes a JSON file to WORK/finished. `experts` starts from the pretrained audio
branch in experiments/default_model/pretrained, or from another one made by
experiments/default_model/voice.py (--pretrained; with normalised features from its neighbour made
with --standardise); `experts_scratch` starts from fresh weights. `experiments/ravdess_table.py`
makes the table from all finished runs and publishes their predictions; a published run with the
same configuration is not trained again.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from names import published, published_config, shown

from avtca.compat import upgrade
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
PRETRAINED = ROOT / "experiments" / "default_model" / "pretrained" / "voice" / "last"
PUBLISHED = ROOT / "experiments" / "results" / "ravdess"
"""Predictions of finished runs, PROTOCOL/SYSTEM/seedN.csv.gz, and their provenance, runs.json."""
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
"""Changes of the configuration, in the order of the runs. Normalised features are neither
probabilities nor decibels and need no other normalisation."""
SINGLE_STREAM = ("audio_only", "video_only")
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
"""Published names of systems; :func:`names.shown` gives today's. `best`, `best_scratch` and
`best_attention` are the network `experts` with different settings."""
SAME_NETWORK = {"it4_ct4": "figure"}
"""Entries of the paper's Table V that are another system's network and are not trained twice."""
EXPERTS = {
    "best": (),
    "best_scratch": ("model.init_from=null",),
    "best_attention": (
        *("model.sizes.late=self_cross", "model.sizes.residual=true", "model.sizes.positions=true"),
        *("model.sizes.pooling=attentive", "model.sizes.fusion=late"),
    ),
}
"""System -> changes of experts.yaml: none, without pretraining, and with the attention of the
paper's figure. All other systems are networks of configs/sweep.yaml."""
LONG = ("mean_posterior", "concatenation", "figure")
"""Baselines that are also trained for as many epochs as `experts`."""
NOISE = ("mean_posterior", "concatenation", "figure", "best")
"""Systems that are also trained with channel variation and background noise on the mel bands."""
NOISE_CHANGES = ("train.augmentation.channel_db=4", "train.augmentation.background=0.25")
"""As for the packaged model (experiments/default_model/fusion.py). Not for normalised features."""
WITH_UNITS = ("video_only", "mean_posterior", "concatenation", "figure", "best_scratch", "best")
SYSTEMS = (
    {name: (name, "expression7") for name in (*SINGLE_STREAM, *FUSIONS)}
    | {f"{name}_long": (name, "expression7") for name in LONG}
    | {f"{name}_noise": (name, "expression7") for name in NOISE}
    | {f"{name}+action_units": (name, "expression7+action_units35") for name in WITH_UNITS}
)
"""Published name of a system -> the system of :data:`FUSIONS` or :data:`SINGLE_STREAM` that it is a
variant of, video features."""
UNITS_CHANGES = ("model.sizes.utterance_features=35",)
"""For `experts`, which has a head for them: action units describe a whole sample."""
DIMS = {"expression7": 7, "expression7+action_units35": 42}


class OutOfTime(Exception):
    """The time budget is spent."""


@dataclass(frozen=True)
class Run:
    """One system under one protocol with one seed."""

    protocol: str
    system: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.protocol}/{self.system}/seed{self.seed}"

    def experiment(
        self, work: Path, changes: list[str], pretrained: Path | None = None
    ) -> ExperimentConfig:
        """The configuration of the run; ``pretrained`` replaces the initial audio branch."""
        base, features = SYSTEMS[self.system]
        every: list[str] = [
            f"data.corpus={work / 'prepared' / features}",
            f"seeds=[{self.seed}]",
            f"name={self.system}",
        ]
        if self.system.endswith("_long"):
            every.append(f"train.epochs={load_experiment(CONFIGS / 'experts.yaml').train.epochs}")
        if self.system.endswith("_noise"):
            every += NOISE_CHANGES
        if base in EXPERTS:
            file = "experts.yaml"
            if pretrained is not None and self.protocol.endswith("standardised"):
                folder = pretrained.parent
                pretrained = folder.with_name(f"{folder.name}_standardised") / pretrained.name
            every.append(f"model.init_from={pretrained or 'null'}")
            every += UNITS_CHANGES if "units" in features else ()
            every += EXPERTS[base]
        else:
            file = "luna_5fold.yaml"
            every += sweep(f"ravdess_sequences/{file}")[base]
        return load_experiment(CONFIGS / file, [*every, *PROTOCOLS[self.protocol], *changes])


def sweep(config: str) -> dict[str, list[str]]:
    """The networks compared under a configuration, as changes of it (configs/sweep.yaml)."""
    found: dict[str, list[str]] = yaml.safe_load((ROOT / "configs/sweep.yaml").read_text())[config]
    return found


def config_hash(experiment: ExperimentConfig) -> str:
    """Twelve hexadecimal digits over all settings, wherever data and weights are stored."""
    values = experiment.model_dump(mode="json", exclude_defaults=True)
    values["data"].pop("corpus", None)
    if experiment.model.init_from is not None:
        values["model"]["init_from"] = checkpoint_name(Path(experiment.model.init_from))
    text = json.dumps(published_config(values), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def checkpoint_name(path: Path) -> str:
    """A checkpoint's folder, with the hash of its weights unless the repository has them."""
    name, card = path.parent.name, path.with_suffix(".json")
    ours = PRETRAINED.parent.with_name(name) / PRETRAINED.with_suffix(".json").name
    if not card.exists():
        return name
    sha = json.loads(card.read_text())["weights_sha256"]
    known = ours.exists() and json.loads(ours.read_text())["weights_sha256"] == sha
    return name if known else f"{name} {sha[:12]}"


def provenance(folder: Path) -> dict[str, object]:
    """Commits with which the folds of a run were started, and the seconds of training."""
    started = [json.loads(path.read_text()) for path in sorted(folder.glob("seed*/fold*/run.json"))]
    ended = [json.loads(path.read_text()) for path in sorted(folder.glob("seed*/fold*/done.json"))]
    return {
        "commit": ", ".join(dict.fromkeys(one["versions"]["commit"] for one in started)),
        "seconds": round(sum(one["seconds_of_last_process"] for one in ended)),
    }


def published_runs(folder: Path = PUBLISHED) -> dict[str, dict[str, Any]]:
    """Name of a run -> hash of its configuration (``recipe``), commit, seconds, sizes of folds."""
    index = folder / "runs.json"
    return dict(upgrade(json.loads(index.read_text()))) if index.exists() else {}


def finished(done: Path, kept: dict[str, Any] | None, digits: str) -> Mapping[str, Any] | None:
    """The record of a run with this configuration, from this machine or from the published ones."""
    if done.exists():
        here: dict[str, Any] = json.loads(done.read_text())
        if here["recipe"] == digits:
            return here
    return kept if kept and kept["recipe"] == digits else None


class LastDataModule:
    """Data module of a configuration; the last one stays in memory with its windows."""

    def __init__(self) -> None:
        self.key: tuple[object, ...] = ()
        self.data_module: DataModule | None = None

    def of(self, experiment: ExperimentConfig) -> DataModule:
        settings = experiment.data.model_dump_json(), experiment.input.model_dump_json()
        key = (*settings, experiment.model.init_from)  # the leakage check depends on it
        if key != self.key or self.data_module is None:
            self.data_module, self.key = None, key
            self.data_module = load_data_module(experiment)
        return self.data_module


def claim(folder: Path, name: str = "claimed") -> bool:
    """Whether this process may work in a folder; the claim of a dead process does not count."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, mine = folder / name, folder / f".claim{os.getpid()}"
    mine.write_text(str(os.getpid()))
    try:
        for _ in range(2):
            try:
                os.link(mine, lock)  # atomic, with its content
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
    """Prepare the samples with one kind of video features, once."""
    from avtca.clipspec import ClipSpec
    from avtca.labels import RAVDESS

    spec = json.loads((CONFIGS / "clipspec.json").read_text())
    spec |= {"video_features": features, "video_dim": DIMS[features], "labels": RAVDESS}
    load_ravdess_features(corpus, ClipSpec(**spec), work / "prepared" / features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="RAVDESS, audio with face sequences")
    parser.add_argument("work", type=Path)
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED)
    parser.add_argument(
        "--systems", nargs="+", type=published, default=list(SYSTEMS), choices=list(SYSTEMS)
    )
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=list(PROTOCOLS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="changes, as in avtca train")
    parser.add_argument("--budget", type=float, default=0, help="minutes; 0 for no limit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="list finished and missing runs")
    args = parser.parse_args()
    # The first seed of all systems comes before the second seed of any.
    runs = [
        Run(protocol, system, seed)
        for seed in args.seeds
        for protocol in args.protocols
        for system in args.systems
        if not (protocol.endswith("standardised") and system.endswith("_noise"))
    ]
    kept = published_runs()
    torch_threads(args.threads)
    began = time.monotonic()
    modules = LastDataModule()

    def before(seed: int, fold: int) -> None:
        if args.budget and time.monotonic() - began > 60 * args.budget:
            raise OutOfTime
        print(f"  seed {seed}, fold {fold}", flush=True)

    for run in runs:
        done = args.work / "finished" / f"{run.name}.json"
        folder = args.work / "runs" / run.protocol / run.system / f"of_seed{run.seed}"
        experiment = run.experiment(args.work, args.set, args.pretrained)
        digits = config_hash(experiment)
        record = finished(done, kept.get(run.name), digits)
        name = run.name.replace(run.system, shown(run.system), 1)
        if args.list:
            print(name, "missing" if record is None else f"{record['seconds']} s")
            continue
        if record is not None or not claim(folder):
            continue
        prepare(args.corpus, args.work, SYSTEMS[run.system][1])
        print(name, flush=True)
        try:
            result = cross_validate(experiment, modules.of(experiment), folder, before=before)
        except OutOfTime:
            print("time budget spent; the same command resumes")
            return
        finally:
            (folder / "claimed").unlink(missing_ok=True)
        value = {
            **result,
            "system": run.system,
            "protocol": run.protocol,
            "seed": run.seed,
            "recipe": digits,
            **provenance(folder),
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
