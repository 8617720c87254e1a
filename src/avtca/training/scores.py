"""Validation figures by the names that a recipe can choose its best epoch by."""

import numpy as np
from numpy.typing import NDArray


def scores(
    probabilities: NDArray[np.float64], targets: NDArray[np.float32], *, binary: bool = False
) -> dict[str, float]:
    """``accuracy``, ``uar``, ``weighted_f1``, ``macro_f1`` and ``loss`` of takes.

    ``probabilities`` and ``targets`` ``(n, n_labels)``. With one label a take, the strongest of
    each counts; ``uar`` is the mean recall over the labels that occur. With several (``binary``)
    a label holds from 0.5 on: ``accuracy`` is over all takes and labels, ``uar`` the mean over
    labels of the balanced accuracy, F1 as scikit-learn's. ``loss`` is the mean cross-entropy.
    """
    p = np.clip(probabilities, 1e-7, 1 - 1e-7)
    t = targets.astype(np.float64)
    if binary:
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        truth, said = t >= 0.5, p >= 0.5
        accuracy = (truth == said).mean()
    else:
        loss = -(t * np.log(p)).sum(1).mean()
        labels = np.arange(t.shape[1])
        truth = t.argmax(1)[:, None] == labels
        said = p.argmax(1)[:, None] == labels
        accuracy = (truth & said).sum() / len(t)
    hit = (truth & said).sum(0).astype(np.float64)
    support, named = truth.sum(0), said.sum(0)
    occurs = support > 0
    recall = hit / np.maximum(support, 1)
    f1 = 2 * hit / np.maximum(support + named, 1)
    if binary:
        rejected = (~truth & ~said).sum(0) / np.maximum((~truth).sum(0), 1)
        recall = (recall + rejected) / 2
    present = occurs | (named > 0)
    return {
        "accuracy": float(accuracy),
        "uar": float(recall[occurs].mean()),
        "weighted_f1": float((f1 * support).sum() / max(1, support.sum())),
        "macro_f1": float(f1[present].mean()),
        "loss": float(loss),
    }
