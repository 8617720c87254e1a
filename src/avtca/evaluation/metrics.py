"""Classification metrics as functions of confusion matrices.

A confusion matrix ``(k, k)`` counts samples, true labels in rows, predicted labels in columns.
Every metric maps a stack ``(..., k, k)`` to ``(...)``, so that a bootstrap over speakers is one
matrix product (:mod:`avtca.evaluation.bootstrap`). Several labels a sample (CMU-MOSEI) are a stack
``(k, 2, 2)``, one matrix for each label. Values equal scikit-learn's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.report import BinaryClass, MetricName, MultilabelSummary

Float = NDArray[np.float64]
Counts = NDArray[np.generic]
Metric = Callable[[Any], Float]


def checked(probs: ArrayLike, labels: ArrayLike) -> tuple[Float, NDArray[np.int64]]:
    """``probs (n, k)`` and ``labels (n,)`` as arrays; ``ValueError`` where they do not fit."""
    p, y = np.asarray(probs, np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1]:
        raise ValueError(f"scores (n, k) and labels (n,) are needed, found {p.shape} and {y.shape}")
    if not len(y):
        raise ValueError("no samples to evaluate")
    if not np.isfinite(p).all():
        raise ValueError("scores hold values that are not finite")
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels are integers 0..{p.shape[1] - 1}, found {np.unique(y)[:20]}")
    return p, y.astype(np.int64)


def confusion(labels: ArrayLike, predicted: ArrayLike, k: int) -> NDArray[np.int64]:
    """Confusion matrix ``(k, k)`` of true and predicted labels ``(n,)``, true ones in rows."""
    cell = np.asarray(labels, np.int64) * k + np.asarray(predicted, np.int64)
    return np.bincount(cell, minlength=k * k).reshape(k, k).astype(np.int64)


def binary_confusions(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """``(k, 2, 2)`` from true and predicted presence of labels, both bool ``(n, k)``."""
    t, p = np.asarray(truth, bool), np.asarray(predicted, bool)
    if t.ndim != 2 or t.shape != p.shape:
        raise ValueError(f"truth and predictions (n, k) are needed, found {t.shape} and {p.shape}")
    return np.stack([confusion(t[:, j], p[:, j], 2) for j in range(t.shape[1])])


def speaker_confusions(
    probs: ArrayLike, labels: ArrayLike, speakers: ArrayLike
) -> NDArray[np.int64]:
    """``(s, k, k)``: the confusion matrix of each speaker, in the order of ``np.unique``.

    ``probs (n, k)`` scores, ``labels (n,)``, ``speakers (n,)`` names or numbers.
    """
    p, y = checked(probs, labels)
    k = p.shape[1]
    speaker, s = _speaker_index(speakers, len(y))
    cell = (speaker * k + y) * k + p.argmax(1)
    return np.bincount(cell, minlength=s * k * k).reshape(s, k, k).astype(np.int64)


def speaker_binary_confusions(
    predicted: ArrayLike, truth: ArrayLike, speakers: ArrayLike
) -> NDArray[np.int64]:
    """``(s, k, 2, 2)`` for predicted and true presence of labels, bool ``(n, k)``."""
    a, t = np.asarray(predicted, bool), np.asarray(truth, bool)
    speaker, s = _speaker_index(speakers, len(t))
    return np.stack([binary_confusions(t[speaker == j], a[speaker == j]) for j in range(s)])


def _speaker_index(speakers: ArrayLike, n: int) -> tuple[NDArray[np.int64], int]:
    """Index of each sample's speaker ``(n,)``, and the number of speakers."""
    names, index = np.unique(np.asarray(speakers), return_inverse=True)
    if index.shape != (n,):
        raise ValueError(f"{index.size} speakers for {n} samples")
    return index.astype(np.int64), len(names)


def accuracy(matrix: Counts) -> Float:
    """Share of correct predictions."""
    c = np.asarray(matrix, np.float64)
    return _ratio(np.trace(c, axis1=-2, axis2=-1), c.sum((-2, -1)))


def balanced_accuracy(matrix: Counts) -> Float:
    """Mean recall over the classes that occur: unweighted average recall (UAR)."""
    recall, support = _recall(matrix), np.asarray(matrix).sum(-1)
    return _ratio(recall.sum(-1), np.count_nonzero(support, axis=-1))


def macro_f1(matrix: Counts) -> Float:
    """Mean F1 over the classes that occur, those of :func:`balanced_accuracy`."""
    c = np.asarray(matrix)
    occurs = c.sum(-1) > 0
    return _ratio((f1(c) * occurs).sum(-1), np.count_nonzero(occurs, axis=-1))


def weighted_f1(matrix: Counts) -> Float:
    """Mean F1 weighted by the support of each class."""
    c = np.asarray(matrix, np.float64)
    return _ratio((f1(c) * c.sum(-1)).sum(-1), c.sum((-2, -1)))


def f1(matrix: Counts) -> Float:
    """F1 ``(..., k)`` of each class; 0 for one that is neither true nor predicted."""
    c = np.asarray(matrix, np.float64)
    return _ratio(2 * np.diagonal(c, axis1=-2, axis2=-1), c.sum(-1) + c.sum(-2))


def f1_present(matrix: Counts) -> Float:
    """F1 of presence in a ``(..., 2, 2)`` matrix."""
    return f1(matrix)[..., 1]


def weighted_accuracy(matrix: Counts) -> Float:
    """CMU-MOSEI's weighted accuracy of one emotion, from ``(..., 2, 2)``.

    ``(tp * n / p + tn) / 2n`` with ``p`` positives and ``n`` negatives (Zadeh et al. 2018), which
    is the mean of the two recalls. NaN where one of the two does not occur.
    """
    missing = (np.asarray(matrix).sum(-1) == 0).any(-1)
    return np.where(missing, np.nan, _recall(matrix).mean(-1))


METRICS: dict[MetricName, Metric] = {
    "accuracy": accuracy,
    "uar": balanced_accuracy,
    "weighted_f1": weighted_f1,
    "macro_f1": macro_f1,
}
"""The metrics of every table."""


def per_class(matrix: Counts) -> dict[str, Float]:
    """``precision``, ``recall``, ``f1`` and ``support`` of a ``(k, k)`` matrix, each ``(k,)``.

    Precision of a class that is never predicted, and recall of one that never occurs, are 0.
    """
    c = np.asarray(matrix, np.float64)
    return {
        "precision": _ratio(np.diagonal(c, axis1=-2, axis2=-1), c.sum(-2)),
        "recall": _recall(c),
        "f1": f1(c),
        "support": c.sum(-1),
    }


def fit_thresholds(probs: ArrayLike, truth: ArrayLike) -> Float:
    """The threshold of each label with the best weighted accuracy on these samples, ``(k,)``.

    Thresholds lie midway between scores; of equally good ones the nearest to 0.5 is taken, which is
    also the threshold of a label that is always or never present.

    Args:
        probs: Scores ``(n, k)`` of speakers that are neither trained on nor tested.
        truth: Which labels are present, bool ``(n, k)``.
    """
    p, t = np.asarray(probs, np.float64), np.asarray(truth, bool)
    out = np.full(p.shape[1], 0.5)
    for label, (scores, present) in enumerate(zip(p.T, t.T, strict=True)):
        if present.all() or not present.any():
            continue
        found = np.unique(scores)
        cuts = np.concatenate([[0.5], (found[1:] + found[:-1]) / 2])
        hits = [np.searchsorted(np.sort(scores[rows]), cuts) for rows in (present, ~present)]
        quality = hits[1] / (~present).sum() - hits[0] / present.sum()
        best = cuts[quality >= quality.max() - 1e-12]
        out[label] = best[np.abs(best - 0.5).argmin()]
    return out


def multilabel_summary(
    probs: ArrayLike, truth: ArrayLike, names: Sequence[str], *, threshold: ArrayLike = 0.5
) -> MultilabelSummary:
    """Metrics of scores of several labels a sample.

    Args:
        probs: Scores ``(n, k)``.
        truth: Which labels are present, bool ``(n, k)``.
        names: The labels.
        threshold: Score from which a label is predicted, or one for each label or score.

    Raises:
        ValueError: If there are no samples, scores are not finite, or shapes differ.
    """
    p = np.asarray(probs, np.float64)
    if not p.size or not np.isfinite(p).all():
        raise ValueError("no samples to evaluate, or scores that are not finite")
    matrices = binary_confusions(truth, p >= np.asarray(threshold))
    if len(names) != len(matrices):
        raise ValueError(f"{len(names)} names for {len(matrices)} scores")
    accuracy, f1_yes, f1_both = (
        metric(matrices) for metric in (weighted_accuracy, f1_present, weighted_f1)
    )
    known = accuracy[~np.isnan(accuracy)]
    return MultilabelSummary(
        n=len(p),
        weighted_accuracy=float(known.mean()) if len(known) else None,
        f1=float(f1_yes.mean()),
        weighted_f1=float(f1_both.mean()),
        per_class={
            name: BinaryClass(
                weighted_accuracy=None if np.isnan(accuracy[j]) else float(accuracy[j]),
                f1=float(f1_yes[j]),
                weighted_f1=float(f1_both[j]),
                support=int(matrices[j, 1].sum()),
            )
            for j, name in enumerate(names)
        },
        labels=list(names),
    )


def rounded(values: NDArray[np.floating[Any]] | Sequence[float]) -> list[float]:
    """Values for JSON."""
    return [round(float(value), 5) for value in values]


def _recall(matrix: Counts) -> Float:
    c = np.asarray(matrix, np.float64)
    return _ratio(np.diagonal(c, axis1=-2, axis2=-1), c.sum(-1))


def _ratio(above: ArrayLike, below: ArrayLike) -> Float:
    """Quotient, 0 where there is nothing to divide by."""
    a, b = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
