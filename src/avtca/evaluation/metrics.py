"""Classification metrics as functions of confusion matrices.

A confusion matrix ``(k, k)`` counts samples, true labels in rows, named labels in columns. Every
metric takes a stack ``(..., k, k)`` and gives ``(...)``, so that a bootstrap over speakers is one
product of matrices (:mod:`avtca.evaluation.bootstrap`). Several-label tasks (CMU-MOSEI) are a
stack ``(k, 2, 2)``, one matrix for each label. Values equal scikit-learn's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Counts = NDArray[np.generic]
Metric = Callable[[Any], Float]


def checked(probs: ArrayLike, labels: ArrayLike) -> tuple[Float, NDArray[np.int64]]:
    """``probs (n, k)`` and ``labels (n,)`` as arrays; ``ValueError`` says what is wrong."""
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


def confusion(labels: ArrayLike, named: ArrayLike, k: int) -> NDArray[np.int64]:
    """Confusion matrix ``(k, k)`` of true and named labels ``(n,)``, true ones in rows."""
    cell = np.asarray(labels, np.int64) * k + np.asarray(named, np.int64)
    return np.bincount(cell, minlength=k * k).reshape(k, k).astype(np.int64)


def binary_confusions(truth: ArrayLike, named: ArrayLike) -> NDArray[np.int64]:
    """``(k, 2, 2)`` from several-label truth and answers, both bool ``(n, k)``; 1 is "holds"."""
    t, p = np.asarray(truth, bool), np.asarray(named, bool)
    if t.ndim != 2 or t.shape != p.shape:
        raise ValueError(f"truth and answers (n, k) are needed, found {t.shape} and {p.shape}")
    return np.stack([confusion(t[:, j], p[:, j], 2) for j in range(t.shape[1])])


def accuracy(matrix: Counts) -> Float:
    """Share of samples that are named rightly."""
    c = np.asarray(matrix, np.float64)
    return _ratio(np.trace(c, axis1=-2, axis2=-1), c.sum((-2, -1)))


def balanced_accuracy(matrix: Counts) -> Float:
    """Mean recall over the classes that occur: unweighted average recall (UAR)."""
    recall, support = _recall(matrix), np.asarray(matrix).sum(-1)
    return _ratio(recall.sum(-1), np.count_nonzero(support, axis=-1))


def macro_f1(matrix: Counts) -> Float:
    """Mean F1 over the classes that occur, in truth or in answers."""
    c = np.asarray(matrix)
    occurs = (c.sum(-1) + c.sum(-2)) > 0
    return _ratio(f1(c).sum(-1), np.count_nonzero(occurs, axis=-1))


def weighted_f1(matrix: Counts) -> Float:
    """Mean F1 weighted by how often each class is true."""
    c = np.asarray(matrix, np.float64)
    return _ratio((f1(c) * c.sum(-1)).sum(-1), c.sum((-2, -1)))


def f1(matrix: Counts) -> Float:
    """F1 ``(..., k)`` of each class; 0 for one that neither occurs nor is named."""
    c = np.asarray(matrix, np.float64)
    return _ratio(2 * np.diagonal(c, axis1=-2, axis2=-1), c.sum(-1) + c.sum(-2))


def f1_holds(matrix: Counts) -> Float:
    """F1 of "holds" in a ``(..., 2, 2)`` matrix."""
    return f1(matrix)[..., 1]


def weighted_accuracy(matrix: Counts) -> Float:
    """CMU-MOSEI's weighted accuracy of one emotion, from ``(..., 2, 2)``.

    ``(tp * n / p + tn) / 2n`` with ``p`` positives and ``n`` negatives (Zadeh et al. 2018), which
    is the mean of the two recalls. NaN where one of the two does not occur.
    """
    missing = (np.asarray(matrix).sum(-1) == 0).any(-1)
    return np.where(missing, np.nan, _recall(matrix).mean(-1))


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "uar": balanced_accuracy,
    "weighted_f1": weighted_f1,
    "macro_f1": macro_f1,
}
"""The metrics of every table, by the names used in results."""


def per_class(matrix: Counts) -> dict[str, Float]:
    """``precision``, ``recall``, ``f1`` and ``support`` of a ``(k, k)`` matrix, each ``(k,)``.

    Precision of a class that is never named, and recall of one that never occurs, are 0.
    """
    c = np.asarray(matrix, np.float64)
    return {
        "precision": _ratio(np.diagonal(c, axis1=-2, axis2=-1), c.sum(-2)),
        "recall": _recall(c),
        "f1": f1(c),
        "support": c.sum(-1),
    }


def summary(probs: ArrayLike, labels: ArrayLike, names: Sequence[str]) -> dict[str, Any]:
    """All metrics of scores ``(n, k)`` against labels ``(n,)``, in plain values for JSON.

    The label named is the one of the highest score (the first of equals). Keys: ``n``, those of
    :data:`METRICS`, ``per_class`` (name -> precision, recall, f1, support), ``confusion`` (rows
    true) and ``labels``.
    """
    p, y = checked(probs, labels)
    if len(names) != p.shape[1]:
        raise ValueError(f"{len(names)} names for {p.shape[1]} scores")
    matrix = confusion(y, p.argmax(1), p.shape[1])
    return {
        "n": len(y),
        **{name: float(metric(matrix)) for name, metric in METRICS.items()},
        "per_class": _table(matrix, names),
        "confusion": matrix.tolist(),
        "labels": list(names),
    }


def multilabel_summary(
    probs: ArrayLike, truth: ArrayLike, names: Sequence[str], *, threshold: float = 0.5
) -> dict[str, Any]:
    """Metrics of several-label scores ``(n, k)`` against bool truth ``(n, k)``.

    A label is named where its score reaches ``threshold``. ``per_class`` holds, for each emotion,
    ``weighted_accuracy`` (``None`` where it never or always holds), ``f1`` of its presence,
    ``weighted_f1`` over presence and absence (what papers on CMU-MOSEI call F1) and ``support``;
    at the top stand their means over the emotions, and ``n`` and ``labels``.
    """
    p = np.asarray(probs, np.float64)
    if not p.size or not np.isfinite(p).all():
        raise ValueError("no samples to evaluate, or scores that are not finite")
    matrices = binary_confusions(truth, p >= threshold)
    if len(names) != len(matrices):
        raise ValueError(f"{len(names)} names for {len(matrices)} scores")
    wa = weighted_accuracy(matrices)
    columns = {"f1": f1_holds(matrices), "weighted_f1": weighted_f1(matrices)}
    rows = {
        name: {
            "weighted_accuracy": None if np.isnan(wa[j]) else float(wa[j]),
            **{column: float(values[j]) for column, values in columns.items()},
            "support": int(matrices[j, 1].sum()),
        }
        for j, name in enumerate(names)
    }
    known = wa[~np.isnan(wa)]
    return {
        "n": len(p),
        "weighted_accuracy": float(known.mean()) if len(known) else None,
        **{column: float(values.mean()) for column, values in columns.items()},
        "per_class": rows,
        "labels": list(names),
    }


def _table(matrix: Counts, names: Sequence[str]) -> dict[str, dict[str, float]]:
    columns = per_class(matrix)
    return {
        name: {
            column: int(values[j]) if column == "support" else float(values[j])
            for column, values in columns.items()
        }
        for j, name in enumerate(names)
    }


def _recall(matrix: Counts) -> Float:
    c = np.asarray(matrix, np.float64)
    return _ratio(np.diagonal(c, axis1=-2, axis2=-1), c.sum(-1))


def _ratio(above: ArrayLike, below: ArrayLike) -> Float:
    """Quotient, 0 where there is nothing to divide by."""
    a, b = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
