"""Purpose: measure the robustness of the networks of `experiments/ravdess.py`: audio shifted
against the face from -1 to +1 s, each modality masked, noise, reverberation, codecs, missing
video steps, noise on the face features, short samples. Does attention between the streams help?

Cost: forty minutes on one core for the seven default systems; six for the other fusions under
shift and modality (--systems late_transformer intermediate_attention intermediate_transformer
--conditions shift modality); ten for the systems trained with noise (--systems
mean_posterior_noise concatenation_noise figure_noise experts_noise --conditions noise
reverberation codec shift modality).

    python experiments/ravdess_robustness.py WORK experiments/results/robustness

Uses the first seed of every system that WORK has finished on Luna-Jimenez's folds. It can be
stopped at any time: what is in OUT/answers is not measured again unless the system's
configuration changed. Systems that were measured before predictions were kept, and whose
checkpoints are gone, keep their figures. Writes into OUT:

- answers/SYSTEM.csv.gz: the predicted emotion of every sample, one column for each condition and
  level, and answers/made.json, their provenance;
- robustness.json: as `avtca robustness`, and "lost": system -> condition -> for each level
  `lost`, the accuracy lost [value, low, high], and `more`, how much more that is than the
  baseline `concatenation` (for systems ending in `_noise`: `concatenation_noise`) loses on the
  same samples. Intervals are bootstraps over actors in which both networks, and both states of
  the samples, use the same draw. "earlier": systems that are not known to have today's
  configuration;
- robustness.png, shift.png, noise.png, and robustness.md, the tables of docs/evaluation.md.
"""

import argparse
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from names import published
from numpy.typing import NDArray
from ravdess import PRETRAINED, PROTOCOLS, SYSTEMS, Run, config_hash
from robustness_pages import (
    baseline,
    complete,
    curves,
    markdown,
    noise_trained,
    shifts,
    with_noise,
)

from avtca.compat import upgrade, upgrade_report
from avtca.evaluation.aggregate import estimate_metrics, stack_seeds
from avtca.evaluation.bootstrap import bootstrap, paired_difference
from avtca.evaluation.degradations import CONDITIONS
from avtca.evaluation.estimates import to_json
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.metrics import METRICS
from avtca.evaluation.open_model import open_trained_model
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.robustness import Degraded, degrade_once
from avtca.files import write_atomic
from avtca.labels import RAVDESS
from avtca.training.record import commit
from avtca.training.trainer import torch_threads

MAIN = next(iter(PROTOCOLS))
NETWORKS = ("mean_posterior", "concatenation", "it4", "ct4", "figure", "released", "best")
LEVELS: dict[str, tuple[Any, ...]] = {
    "shift": (0.0, -1.0, -0.6, -0.2, 0.2, 0.6, 1.0),
    "modality": CONDITIONS["modality"].levels,
    "noise": (None, 20, 10, 0),
    "reverberation": (0, 0.4, 0.8, 1.6),
    "codec": ("none", "libopus 6 kbit/s", "telephone"),
    "dropped frames": (0.0, 0.25, 0.5, 0.9),
    "feature noise": (0, 0.5, 1, 2),
    "length": (None, 2.0, 1.5, 1.0),
}
"""Fewer than in `avtca robustness`, to save time; the first leaves a sample unchanged."""
UNTOUCHED = "untouched"
HEAD = ["sample_id", "speaker", "true"]
OLD_COLUMNS = {
    "take": "sample_id",
    "modality sound alone": f"modality {LEVELS['modality'][1]}",
    "modality picture alone": f"modality {LEVELS['modality'][2]}",
}
"""Columns of published predictions -> today's."""


def column(condition: str, level: Any) -> str:
    """Column of the predictions at a level."""
    return UNTOUCHED if level == LEVELS[condition][0] else f"{condition} {level}"


def measure(
    models: dict[str, EvaluatedModel],
    conditions: Iterable[str],
    answers: Path,
    hashes: dict[str, str],
) -> None:
    """Fill the tables of predictions, level by level, so that systems with the same ClipSpec share
    the degraded windows."""
    made = made_of(answers)
    for system, model in models.items():
        if made.get(system, {}).get("recipe") != hashes[system]:
            (answers / f"{system}.csv.gz").unlink(missing_ok=True)
            record = {"recipe": hashes[system], "commit": commit()}
            made[system] = record | to_json(model.split)
            write_atomic(answers / "made.json", json.dumps(made, indent=1, sort_keys=True))
    for name in conditions:
        condition = replace(CONDITIONS[name], levels=LEVELS[name])
        for level in condition.levels:
            degraded: Degraded = {}
            for system, model in models.items():
                if not condition.fits(model.spec):
                    continue
                path = answers / f"{system}.csv.gz"
                table = read(path) if path.exists() else None
                if table is None or column(name, level) not in table:
                    found = model.predict(partial(degrade_once, degraded, condition, level))
                    save(path, added(table, column(name, level), found))
                    print(
                        f"{system}, {name} {level}: {100 * found.correct.mean():.1f} %", flush=True
                    )


def added(table: pd.DataFrame | None, name: str, found: Predictions) -> pd.DataFrame:
    """The table with one more column: the predicted label of each sample."""
    labels = np.array(found.labels)
    if table is None:
        values = (found.samples, found.speakers, labels[found.true_labels])
        table = pd.DataFrame(dict(zip(HEAD, values, strict=True)))
    named = dict(zip(found.samples, labels[found.probs.argmax(1)], strict=True))
    return table.assign(**{name: [named[sample] for sample in table["sample_id"]]})


def save(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.sort_values("sample_id").to_csv(index=False, lineterminator="\n")
    write_atomic(path, gzip.compress(text.encode(), mtime=0))


def read(path: Path) -> pd.DataFrame:
    text = gzip.decompress(path.read_bytes()).decode()
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    return table.rename(columns=OLD_COLUMNS)


def made_of(answers: Path) -> dict[str, dict[str, Any]]:
    """System -> config hash (``recipe``), commit and split."""
    index = answers / "made.json"
    return dict(upgrade(json.loads(index.read_text()))) if index.exists() else {}


def predictions(table: pd.DataFrame, name: str) -> Predictions:
    """A column as predictions with probability 1."""
    place = {label: at for at, label in enumerate(RAVDESS)}
    every = np.eye(len(RAVDESS))
    truth, named = (every[table[one].map(place).to_numpy()] for one in ("true", name))
    return Predictions(
        RAVDESS, table["sample_id"].tolist(), table["speaker"].tolist(), truth, named
    )


def loss(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """Accuracy lost from the first to the second of ``(..., 2, k, k)``."""
    accuracy = np.asarray(METRICS["accuracy"](matrices))
    return np.asarray(accuracy[..., 0] - accuracy[..., 1])


def both(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """``(speakers, 2, k, k)``: confusion matrices of untouched and of damaged samples."""
    return stack_seeds([predictions(table, UNTOUCHED), predictions(table, name)])


def lost(tables: dict[str, pd.DataFrame], system: str, condition: str) -> list[dict[str, Any]]:
    """Accuracy lost at each level, and how much more than the baseline loses."""
    out = []
    for level in LEVELS[condition][1:]:
        name = column(condition, level)
        mine = both(tables[system], name)
        point: dict[str, Any] = {"level": level, "lost": bootstrap(mine, loss).to_estimate()}
        other = baseline(system)
        if system != other and name in tables.get(other, ()):
            found = paired_difference(mine, both(tables[other], name), loss)
            value, low, high = found.to_estimate()
            point["more"] = {"value": value, "low": low, "high": high, "p": found.p}
        out.append(point)
    return out


def points(table: pd.DataFrame, condition: str) -> list[dict[str, Any]]:
    """The curve of a system, as in `avtca robustness`."""
    return [
        {"level": level, **estimate_metrics(predictions(table, column(condition, level))).to_dict()}
        for level in LEVELS[condition]
    ]


def summary(answers: Path, old: dict[str, Any], today: dict[str, str]) -> dict[str, Any]:
    """Figures of all systems with predictions for every level of a condition, and the old figures
    of the others; ``today``: the config hash of each system as it would be trained now."""
    made = made_of(answers)
    tables = {
        system: read(path) for system in SYSTEMS if (path := answers / f"{system}.csv.gz").exists()
    }
    done = {system: [c for c in LEVELS if columns(c) <= set(tables[system])] for system in tables}
    new: dict[str, Any] = {
        "systems": {
            system: {c: points(tables[system], c) for c in done[system]} for system in tables
        },
        "units": {name: CONDITIONS[name].unit for name in LEVELS},
        "splits": {system: made[system] for system in tables},
        "samples": {system: len(table) for system, table in tables.items()},
        "lost": {system: {c: lost(tables, system, c) for c in done[system]} for system in tables},
    }
    result = merged(old, new)
    result["systems"] = {
        system: result["systems"][system] for system in SYSTEMS if system in result["systems"]
    }
    recipes = {system: one["recipe"] for system, one in made.items()}
    result["earlier"] = [
        system for system in result["systems"] if recipes.get(system) != today[system]
    ]
    return result


def read_report(path: Path) -> dict[str, Any]:
    """The robustness report of an earlier call; empty if there is none."""
    return upgrade_report(json.loads(path.read_text())) if path.exists() else {}


def columns(condition: str) -> set[str]:
    """The columns of a condition."""
    return {column(condition, level) for level in LEVELS[condition]}


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Systems of both, the new in place of the old."""
    return {key: {**old.get(key, {}), **values} for key, values in new.items()}


def finished(work: Path, systems: Sequence[str]) -> dict[str, str]:
    """Finished systems and their config hashes."""
    done = {system: work / "finished" / MAIN / system / "seed0.json" for system in systems}
    return {system: json.loads(p.read_text())["recipe"] for system, p in done.items() if p.exists()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--systems", nargs="+", type=published, default=list(NETWORKS), choices=list(SYSTEMS)
    )
    parser.add_argument("--conditions", nargs="+", default=list(LEVELS), choices=list(LEVELS))
    args = parser.parse_args()
    torch_threads(1)
    answers, kept = args.out / "answers", args.out / "robustness.json"
    answers.mkdir(parents=True, exist_ok=True)
    hashes = finished(args.work, args.systems)
    models = {
        system: open_trained_model(
            args.work / "runs" / MAIN / system / "of_seed0",
            args.work / "prepared" / SYSTEMS[system][1],
        )
        for system in hashes
    }
    measure(models, args.conditions, answers, hashes)
    today = {
        system: config_hash(Run(MAIN, system, 0).experiment(args.work, [], PRETRAINED))
        for system in SYSTEMS
    }
    result = summary(answers, read_report(kept), today)
    write_atomic(kept, json.dumps(result, indent=1))
    write_atomic(args.out / "robustness.md", markdown(result))
    shifts(result).savefig(args.out / "shift.png", dpi=110)
    if complete(result):
        curves(result).savefig(args.out / "robustness.png", dpi=110)
    if noise_trained(result):
        with_noise(result).savefig(args.out / "noise.png", dpi=110)


if __name__ == "__main__":
    main()
