"""Transductive adaptation of predictions to each speaker, without labels.

It belongs to its own protocol: all samples of a speaker must be available before the first
prediction, and assumptions are made about them. Shape legend: ``n`` samples, ``k`` labels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.aggregate import estimate_metrics
from avtca.evaluation.predictions import CalibratedFold, Predictions
from avtca.evaluation.report import SpeakerNormalisation
from avtca.runtime.scores import softmax

Float = NDArray[np.float64]
MIN_PROB = 1e-6
"""Lower bound applied before taking logarithms."""
MAX_ITERATIONS = 500
TOLERANCE = 1e-6


def speaker_normalise(predictions: Predictions, reference: Predictions) -> Predictions:
    """Shift and scale each speaker's log-posteriors to the mean and deviation of other speakers.

    Logarithms are centred over the labels, and each label is treated apart. It assumes that all
    speakers' samples contain the emotions in similar proportions. A label whose log-posterior is
    constant over a speaker's samples keeps its deviation.

    Args:
        predictions: Predictions to normalise.
        reference: Predictions on other speakers; its deviation is the mean of theirs.
    """
    logs = _log_posteriors(reference.probs)
    level = logs.mean(0)
    spread = np.mean([logs[rows].std(0) for rows in _speaker_rows(reference)], axis=0)
    out = np.empty_like(predictions.probs)
    for rows in _speaker_rows(predictions):
        own = _log_posteriors(predictions.probs[rows])
        deviation = own.std(0)
        scale = np.divide(spread, deviation, out=np.ones_like(spread), where=deviation > 0)
        out[rows] = softmax((own - own.mean(0)) * scale + level)
    return replace(predictions, probs=out)


def normalisation_report(folds: Sequence[CalibratedFold]) -> SpeakerNormalisation:
    """Metrics where all samples of a speaker are available before the first prediction.

    Predictions are normalised over each speaker's own samples, without their labels, to the mean
    and deviation of other speakers (:attr:`EvaluatedModel.fitted_on`). With few samples, or with
    other proportions of the emotions than theirs, this costs accuracy.
    """
    normalised = Predictions.joined([speaker_normalise(fold.test, fold.seen) for fold in folds])
    return SpeakerNormalisation(
        min_samples=min(Counter(normalised.speakers).values()),
        normalised=estimate_metrics(normalised),
    )


def match_priors(predictions: Predictions, priors: Float) -> Predictions:
    """Multiply each speaker's posteriors by one factor a label, so that their mean is the prior.

    It assumes that every speaker's samples contain the emotions in exactly these proportions, as in
    a corpus with a fixed script. This uses knowledge about the test labels.

    Args:
        predictions: Predictions to adapt.
        priors: Proportions of the labels ``(k,)``, positive and with a sum of one.

    Raises:
        ValueError: For other ``priors``.
    """
    if not (priors > 0).all() or abs(priors.sum() - 1) > TOLERANCE:
        raise ValueError(f"priors must be positive and sum to one, found {priors.tolist()}")
    out = np.empty_like(predictions.probs)
    for rows in _speaker_rows(predictions):
        logs = _log_posteriors(predictions.probs[rows])
        for _ in range(MAX_ITERATIONS):
            mean = softmax(logs).mean(0)
            if np.abs(mean - priors).max() < TOLERANCE:
                break
            logs += np.log(priors / mean)
        out[rows] = softmax(logs)
    return replace(predictions, probs=out)


def _speaker_rows(predictions: Predictions) -> list[NDArray[np.int64]]:
    """Rows of each speaker."""
    speakers = np.array(predictions.speakers)
    return [np.flatnonzero(speakers == one) for one in sorted(set(predictions.speakers))]


def _log_posteriors(probs: Float) -> Float:
    logs = np.log(probs.clip(min=MIN_PROB))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))
