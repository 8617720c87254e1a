"""Agreement of the predicted labels with those that a coder gave."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from avtca.evaluation.aggregate import speaker_matrices
from avtca.evaluation.bootstrap import bootstrap
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import Agreement, Estimate
from avtca.kappa import Counts, Float, kappa, one_against_rest
from avtca.labels import SENTIMENT7

SIMILAR = (("angry", "contempt", "disgust", "fear", "sad"), ("calm", "neutral"))
"""Labels of similar valence, whose confusions count half in the weighted kappa."""
SIMILAR_RULE = (
    "confusions " + " and ".join(f"within {', '.join(group)}" for group in SIMILAR) + " count half"
)
ORDERED_RULE = "confusions count by the distance of the classes"


def agreement(predictions: Predictions) -> Agreement | None:
    """Cohen's kappa of the true and the predicted labels; ``None`` for several labels a sample.

    Args:
        predictions: The most probable label counts as predicted; values of sentiment are rounded.
    """
    if predictions.binary:
        return None
    ordered = predictions.output == "linear"
    labels = SENTIMENT7 if ordered else predictions.labels
    weights = distances(len(labels)) if ordered else similarity_weights(labels)
    matrices = speaker_matrices(predictions)
    occurs = matrices.sum((0, 2)) > 0
    absent = Estimate(None, None, None)
    return Agreement(
        kappa=bootstrap(matrices, kappa).to_estimate(),
        weighted=bootstrap(matrices, partial(kappa, weights=weights)).to_estimate(),
        rule=ORDERED_RULE if ordered else SIMILAR_RULE,
        per_label={
            label: bootstrap(matrices, partial(_label_kappa, label=at)).to_estimate()
            if occurs[at]
            else absent
            for at, label in enumerate(labels)
        },
    )


def similarity_weights(labels: Sequence[str]) -> Float:
    """Disagreement ``(k, k)``: 0 for the same label, 1/2 in a group of :data:`SIMILAR`, or 1."""
    weights = 1 - np.eye(len(labels))
    for group in SIMILAR:
        inside = np.isin(labels, group)
        weights[np.ix_(inside, inside)] *= 0.5
    return weights


def distances(k: int) -> Float:
    """Disagreement ``(k, k)`` of ordered classes: their distance ("linear weights")."""
    return np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)


def _label_kappa(matrix: Counts, label: int) -> Float:
    return kappa(one_against_rest(matrix, label))
