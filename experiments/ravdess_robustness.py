"""Purpose: what damage does to the networks of `experiments/ravdess.py`, beside the simple baselines:
audio shifted against the face, -1 to +1 s, each of the two taken away, noise, rooms, codecs,
missing video steps, noise on the face's features, short samples. Does attention between the streams
buy anything?

Cost: forty minutes on one core for the seven rows that it measures unasked; six for the rest of
the fusions under shift and modality (--rows late_transformer intermediate_attention
intermediate_transformer --conditions shift modality), ten for the rows trained with noise (--rows
mean_posterior_noise concatenation_noise figure_noise best_noise --conditions noise reverberation
codec shift modality).

    python experiments/ravdess_robustness.py WORK experiments/results/robustness

The first seed of every row that WORK has finished on Luna-Jimenez's folds. Stop it at any time;
what is in OUT/answers is not measured again, unless the row's recipe has changed since. Rows
measured before there were answers, whose checkpoints are gone, keep their figures. Writes into OUT:

- answers/ROW.csv.gz: the emotion named on every sample, a column for each kind and level of damage,
  and answers/made.json, what made them;
- robustness.json: as `avtca robustness`; and "lost", row -> condition -> for each level `lost`, the
  share of accuracy lost [value, low, high], and `more`, how much more that is than pooled features
  side by side (`concatenation`; rows that end in `_noise`: `concatenation_noise`) lose on the same
  samples: intervals are bootstraps over actors, in which both networks, and both states of the samples,
  see the same draw. "earlier": rows that are not known to be of today's recipe;
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
from numpy.typing import NDArray
from ravdess import PROTOCOLS, ROWS, VOICE, Cell, recipe_of
from robustness_pages import curves, heard, markdown, rival, shifts, whole, with_noise

from avtca.data.dataset import EmotionDataset
from avtca.evaluation.aggregate import stack_seeds, to_estimate
from avtca.evaluation.bootstrap import bootstrap, paired_difference
from avtca.evaluation.evaluate import estimate_metrics
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.metrics import METRICS
from avtca.evaluation.open_model import open_evaluated_model
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.robustness import CONDITIONS, Condition
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
"""Fewer than `avtca robustness` has, for the time's sake; the first leaves a sample as it is."""
UNTOUCHED = "untouched"
HEAD = ["sample_id", "speaker", "true"]


def column(condition: str, level: Any) -> str:
    """Where the answers to samples of this level are kept."""
    return UNTOUCHED if level == LEVELS[condition][0] else f"{condition} {level}"


def measure(
    systems: dict[str, EvaluatedModel],
    conditions: Iterable[str],
    answers: Path,
    recipes: dict[str, str],
) -> None:
    """Fill the tables of answers; a level is done for every row before the next is begun, so that
    rows of one ClipSpec share their damaged windows."""
    made = made_of(answers)
    for row, system in systems.items():
        if made.get(row, {}).get("recipe") != recipes[row]:
            (answers / f"{row}.csv.gz").unlink(missing_ok=True)
            told = {"recipe": recipes[row], "commit": commit(), "caveat": system.caveat}
            made[row] = told | system.provenance
            write_atomic(answers / "made.json", json.dumps(made, indent=1, sort_keys=True))
    for name in conditions:
        condition = replace(CONDITIONS[name], levels=LEVELS[name])
        for level in condition.levels:
            damaged: dict[tuple[str, ...], EmotionDataset] = {}
            for row, system in systems.items():
                if not condition.fits(system.spec):
                    continue
                path = answers / f"{row}.csv.gz"
                table = read(path) if path.exists() else None
                if table is None or column(name, level) not in table:
                    found = system.predict(partial(_once, damaged, condition, level))
                    save(path, added(table, column(name, level), found))
                    print(f"{row}, {name} {level}: {100 * found.correct.mean():.1f} %", flush=True)


def _once(
    damaged: dict[tuple[str, ...], EmotionDataset],
    condition: Condition,
    level: Any,
    samples: EmotionDataset,
) -> EmotionDataset:
    """The samples at a level; those of one ClipSpec are made once."""
    key = samples.spec.hash, *samples.sample_ids
    if key not in damaged:
        damaged[key] = condition.applied(samples, level)
    return damaged[key]


def added(table: pd.DataFrame | None, name: str, found: Predictions) -> pd.DataFrame:
    """The table with one column more: the label named on each sample."""
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
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def made_of(answers: Path) -> dict[str, dict[str, Any]]:
    """Row -> its recipe, commit and split."""
    index = answers / "made.json"
    return json.loads(index.read_text()) if index.exists() else {}


def predictions(table: pd.DataFrame, name: str) -> Predictions:
    """A column as answers that are sure of what they name."""
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


def lost(tables: dict[str, pd.DataFrame], row: str, condition: str) -> list[dict[str, Any]]:
    """What each level samples from a row, and how much more than from pooled features."""
    out = []
    for level in LEVELS[condition][1:]:
        name = column(condition, level)
        mine = both(tables[row], name)
        point: dict[str, Any] = {"level": level, "lost": to_estimate(bootstrap(mine, loss))}
        other = rival(row)
        if row != other and name in tables.get(other, ()):
            found = paired_difference(mine, both(tables[other], name), loss)
            value, low, high = to_estimate(found)
            point["more"] = {"value": value, "low": low, "high": high, "p": found.p}
        out.append(point)
    return out


def points(table: pd.DataFrame, condition: str) -> list[dict[str, Any]]:
    """A row's curve, as `avtca robustness` has it."""
    return [
        {"level": level, **estimate_metrics(predictions(table, column(condition, level)))}
        for level in LEVELS[condition]
    ]


def studied(answers: Path, old: dict[str, Any], today: dict[str, str]) -> dict[str, Any]:
    """Figures of all rows that have answers on every level of a condition, and the old ones of
    those that have none; ``today``: the recipe of each row as it would be trained now."""
    made = made_of(answers)
    tables = {row: read(path) for row in ROWS if (path := answers / f"{row}.csv.gz").exists()}
    done = {row: [c for c in LEVELS if columns(c) <= set(tables[row])] for row in tables}
    new: dict[str, Any] = {
        "systems": {row: {c: points(tables[row], c) for c in done[row]} for row in tables},
        "units": {name: CONDITIONS[name].unit for name in LEVELS},
        "splits": {row: made[row] for row in tables},
        "samples": {row: len(table) for row, table in tables.items()},
        "lost": {row: {c: lost(tables, row, c) for c in done[row]} for row in tables},
    }
    result = merged(old, new)
    result["systems"] = {row: result["systems"][row] for row in ROWS if row in result["systems"]}
    recipes = {row: one["recipe"] for row, one in made.items()}
    result["earlier"] = [row for row in result["systems"] if recipes.get(row) != today[row]]
    return result


def columns(condition: str) -> set[str]:
    """All that a condition's levels need."""
    return {column(condition, level) for level in LEVELS[condition]}


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Systems of both, the new in place of the old."""
    return {key: {**old.get(key, {}), **values} for key, values in new.items()}


def finished(work: Path, rows: Sequence[str]) -> dict[str, str]:
    """Rows that are finished, and the recipe that each was trained with."""
    done = {row: work / "cells" / MAIN / row / "seed0.json" for row in rows}
    return {row: json.loads(p.read_text())["recipe"] for row, p in done.items() if p.exists()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", nargs="+", default=list(NETWORKS), choices=list(ROWS))
    parser.add_argument("--conditions", nargs="+", default=list(LEVELS), choices=list(LEVELS))
    args = parser.parse_args()
    torch_threads(1)
    answers, kept = args.out / "answers", args.out / "robustness.json"
    answers.mkdir(parents=True, exist_ok=True)
    recipes = finished(args.work, args.rows)
    systems = {
        row: open_evaluated_model(
            args.work / "runs" / MAIN / row / "of_seed0", args.work / "prepared" / ROWS[row][1]
        )
        for row in recipes
    }
    measure(systems, args.conditions, answers, recipes)
    today = {row: recipe_of(Cell(MAIN, row, 0).experiment(args.work, [], VOICE)) for row in ROWS}
    result = studied(answers, json.loads(kept.read_text()) if kept.exists() else {}, today)
    write_atomic(kept, json.dumps(result, indent=1))
    write_atomic(args.out / "robustness.md", markdown(result))
    shifts(result).savefig(args.out / "shift.png", dpi=110)
    if whole(result):
        curves(result).savefig(args.out / "robustness.png", dpi=110)
    if heard(result):
        with_noise(result).savefig(args.out / "noise.png", dpi=110)


if __name__ == "__main__":
    main()
