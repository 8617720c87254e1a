"""Fit the weights that tell who speaks, on people."""

from collections.abc import Sequence

import numpy as np
from speaker_clips import Clip, Double, shifted

from avtca.speaker.evidence import SpeakerWeights, Stretch, lagged, stretches

RIDGE, PRIOR = 2.0, 0.03
"""Regularisation of the filters and of the score."""


def stretch(face: Clip, sound: Clip) -> Stretch | None:
    """A face with a sound, for fitting."""
    n = min(len(face.level), len(sound.level))
    steps = np.minimum(np.arange(n) * 4 + 2, len(sound.voiced) - 1)
    found = stretches(face.series, sound.level[:n], sound.voiced[steps])
    return found[0] if found else None


def fit(clips: Sequence[Clip]) -> SpeakerWeights:
    """Weights from people; each person counts alike. Scores see filters without their person."""
    speakers = [clip for clip in clips if clip.speaks]
    own = {clip.name: stretch(clip, clip) for clip in speakers}
    people = sorted({clip.person for clip in speakers})

    def filters(without: str | None) -> Double:
        x, y = [], []
        for clip in speakers:
            one = own[clip.name]
            if clip.person != without and one is not None:
                mouth = np.stack(list(lagged(one.mouth)), axis=1)[one.heard]
                x.append(mouth - mouth.mean(axis=0))
                y.append(one.level[one.heard])
        both, target = np.concatenate(x), np.concatenate(y)
        square = both.T @ both + RIDGE * len(both) * np.eye(both.shape[1])
        return np.asarray(np.linalg.solve(square, both.T @ target))

    rows, targets, weights = [], [], []
    for person in people:
        used = filters(person)
        mine = [clip for clip in speakers if clip.person == person]
        for clip in mine:
            wrong = [stretch(other, clip) for other in clips if other.person != person]
            wrong += [stretch(clip, shifted(clip, s)) for s in (0.5, -0.5, 0.64, -0.64)]
            false = [one.sums(used).sum(axis=0) for one in wrong if one is not None]
            one = own[clip.name]
            true = [] if one is None else [one.sums(used).sum(axis=0)]
            for sums, target in ((true, 1.0), (false, 0.0)):
                rows += sums
                targets += [target] * len(sums)
                weights += [1 / len(mine) / max(1, len(sums))] * len(sums)
    score = _logistic(np.array(rows), np.array(targets), np.array(weights))
    return SpeakerWeights(filters(None), score)


def _logistic(x: Double, y: Double, weights: Double) -> Double:
    """Logistic regression without an intercept, by Newton's method."""
    score = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ score))
        gradient = x.T @ (weights * (p - y)) + PRIOR * score
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + PRIOR * np.eye(len(score))
        score = score - np.linalg.solve(hessian, gradient)
    return score
