"""Purpose: references for the RAVDESS table: logistic regressions and published systems.

Cost: two minutes on one core.

    python experiments/ravdess_references.py ../shared/corpora/ravdess WORK

Writes WORK/references/<name>.csv, the predictions for every sample on Luna-Jimenez's folds.
Inputs of the regressions: mean, standard deviation and five quantiles of 64 log-mel bands and the
mean and deviation of their differences; mean, deviation, minimum and maximum of seven
expressions; action units as published. C is chosen on the validation actors; the final regression
is trained on all actors except the test actors, like every network of the table.
"""

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ravdess import prepare

from avtca.audio import features
from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.dataset import from_corpus
from avtca.evaluation.predictions import Predictions
from avtca.labels import RAVDESS, canonical
from avtca.training.trainer import torch_threads

FACE, UNITS = "expression7", "expression7+action_units35"
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
INPUTS = {
    "regression_face": ("face",),
    "regression_audio": ("audio",),
    "regression_action_units": ("units",),
    "regression_face_audio": ("face", "audio"),
    "regression_all": ("face", "audio", "units"),
}
PUBLISHED = ("wav2vec2", "action_units_mlp", "fusion")


def statistics(corpus: PreparedCorpus, spec: ClipSpec) -> dict[str, np.ndarray]:
    """One vector for each sample and kind of input."""
    out: dict[str, list[np.ndarray]] = {"face": [], "audio": [], "units": []}
    for _, raw in corpus.raws():
        face, units = raw.video[:, :7], raw.video[:, 7:]
        out["face"].append(np.concatenate([face.mean(0), face.std(0), face.min(0), face.max(0)]))
        out["units"].append(units.mean(0))
        bands = features(raw.wave, spec)
        loud = bands[:, bands.mean(0) > bands.mean(0).max() - 40]
        change = np.diff(loud, axis=1)
        quantiles = np.quantile(loud, (0.1, 0.25, 0.5, 0.75, 0.9), axis=1).ravel()
        parts = [loud.mean(1), loud.std(1), quantiles, change.mean(1), change.std(1)]
        out["audio"].append(np.concatenate(parts))
    return {name: np.stack(rows) for name, rows in out.items()}


def regression(corpus: PreparedCorpus, x: np.ndarray) -> Predictions:
    """Predictions on the test subset of every fold."""
    samples = from_corpus(corpus, memory=False)
    folds = load_folds("ravdess_luna_5fold")
    tables = []
    for fold in range(len(folds.folds)):
        side = folds.subsets(corpus.manifest, fold)
        tables.append(
            Predictions.of(samples.subset(side["test"]), answers(x, samples.labels, side))
        )
    return Predictions.joined(tables)


def answers(x: np.ndarray, y: np.ndarray, side: Mapping[str, np.ndarray]) -> np.ndarray:
    """Probabilities ``(n, k)`` on the test side. The validation side chooses the strength, and is
    trained on with it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fitted(strength: float, rows: np.ndarray) -> Any:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        return model.fit(x[rows], y[rows])

    train, validation = side["train"], side["validation"]
    right = [fitted(one, train).score(x[validation], y[validation]) for one in STRENGTHS]
    chosen = STRENGTHS[int(np.argmax(right))]
    every = np.concatenate([train, validation])
    return np.asarray(fitted(chosen, every).predict_proba(x[side["test"]]))


def published(corpus: PreparedCorpus, path: Path, system: str) -> Predictions:
    """The outputs of Luna-Jimenez et al. on the same samples; wav2vec2's are logits."""
    samples = from_corpus(corpus, memory=False)
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["system"] == system]
    columns = [name for name in rows[0] if name not in ("system", "clip")]
    order = [columns.index(next(c for c in columns if canonical(c) == x)) for x in RAVDESS]
    values = {row["clip"]: [float(row[name]) for name in columns] for row in rows}
    scores = np.array([values[name] for name in samples.sample_ids])[:, order]
    if system == "wav2vec2":
        scores = np.exp(scores - scores.max(1, keepdims=True))
    return Predictions.of(samples, scores / scores.sum(1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("work", type=Path)
    args = parser.parse_args()
    torch_threads(1)
    prepare(args.corpus, args.work, UNITS)
    corpus = PreparedCorpus.open(args.work / "prepared" / UNITS)
    out = args.work / "references"
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        name: published(corpus, args.corpus / "published_posteriors.csv", name)
        for name in PUBLISHED
    }
    parts = statistics(corpus, corpus.spec)
    for name, inputs in INPUTS.items():
        tables[name] = regression(corpus, np.concatenate([parts[i] for i in inputs], axis=1))
    for name, table in tables.items():
        table.save(out / f"{name}.csv")
        print(f"{name}: {100 * table.correct.mean():.2f} %", flush=True)


if __name__ == "__main__":
    main()
