"""Answers adapted to each person by that person's other answers, without a label of theirs.

For a protocol of its own: who does this has many samples of each person before the first answer, and
assumes something of what is in them. Shape legend: ``n`` samples, ``k`` labels.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.predictions import Predictions

Float = NDArray[np.float64]
LEAST = 1e-6
"""Probabilities below count as this."""
ROUNDS = 500
CLOSE = 1e-6


def speaker_normalise(answers: Predictions, others: Predictions) -> Predictions:
    """Each speaker's log-posteriors brought to the mean and deviation that other people's have.

    Of each label apart, the logs being centred over the labels; ``others``' deviation is the mean
    of theirs. Assumes that everybody's samples hold the emotions in about the same shares. A label
    whose log never changes over a speaker's samples keeps its deviation.
    """
    theirs = _logs(others.probs)
    level = theirs.mean(0)
    spread = np.mean([theirs[rows].std(0) for rows in _of_each(others)], axis=0)
    out = np.empty_like(answers.probs)
    for rows in _of_each(answers):
        own = _logs(answers.probs[rows])
        deviation = own.std(0)
        scale = np.divide(spread, deviation, out=np.ones_like(spread), where=deviation > 0)
        out[rows] = _softmax((own - own.mean(0)) * scale + level)
    return replace(answers, probs=out)


def match_priors(answers: Predictions, shares: Float) -> Predictions:
    """Each speaker's posteriors times one factor a label, so that their mean is ``shares (k,)``.

    Assumes that every speaker's samples hold the emotions in just these shares, as in a corpus whose
    script says so. It is half of the knowledge that a label would give: not for life.
    Raises ``ValueError`` for shares that are not positive or do not sum to one.
    """
    if not (shares > 0).all() or abs(shares.sum() - 1) > CLOSE:
        raise ValueError(f"shares are positive and sum to one, found {shares.tolist()}")
    out = np.empty_like(answers.probs)
    for rows in _of_each(answers):
        logs = _logs(answers.probs[rows])
        for _ in range(ROUNDS):
            mean = _softmax(logs).mean(0)
            if np.abs(mean - shares).max() < CLOSE:
                break
            logs += np.log(shares / mean)
        out[rows] = _softmax(logs)
    return replace(answers, probs=out)


def _of_each(answers: Predictions) -> list[NDArray[np.int64]]:
    """Rows of each speaker."""
    speakers = np.array(answers.speakers)
    return [np.flatnonzero(speakers == one) for one in sorted(set(answers.speakers))]


def _logs(probs: Float) -> Float:
    logs = np.log(probs.clip(min=LEAST))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def _softmax(logs: Float) -> Float:
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
