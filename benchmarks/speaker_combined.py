"""Evidence of Light-ASD and of the packaged score together, which avtca does not use.

The packaged score compares mouth and voice, Light-ASD finds lips that talk. Where the score is for
a face, on average within 2 s before and after, talking lips add to it. Resting lips count against
the face.
"""

from dataclasses import dataclass

import numpy as np
from speaker_clips import MOUTH_RATE, VOICE_RATE, Clip, Double

from avtca.speaker import SpeakerModel
from avtca.speaker.evidence import SpeakerWeights, evidence, stretches
from avtca.speaker.model import EVIDENCE_PER_STEP

TALKING, RESTING, AGREES = 0.05, 0.02, 0.02
"""Shares of the mean log odds of Light-ASD that are added where they are positive and negative, and
the least mean score for the first. Chosen among about 30 combinations on these films."""
LIPS_STEPS, SCORE_STEPS = 25, 50
"""Steps before and after over which the log odds and the score are averaged."""
_known: dict[tuple[str, int, int], Double] = {}


@dataclass(frozen=True)
class Combined:
    """Both, with weights of the score that were fitted on other people."""

    weights: SpeakerWeights
    model: SpeakerModel


def log_odds(model: SpeakerModel, face: Clip, sound: Clip, steps: int) -> Double:
    """Log odds of Light-ASD, computed once for each face and sound."""
    mfcc = sound.mfcc[: round(steps * VOICE_RATE / MOUTH_RATE)]
    key = face.name, steps, hash(mfcc.tobytes())
    if key not in _known:
        _known[key] = model.log_odds(face.motion[:steps], mfcc)
    return _known[key]


def odds(
    scored: SpeakerModel | Combined, face: Clip, sound: Clip, steps: int
) -> list[tuple[int, Double]]:
    """First step and evidence of each time in view, as find_speakers takes it."""
    if isinstance(scored, SpeakerModel):
        return [(0, EVIDENCE_PER_STEP * log_odds(scored, face, sound, steps))]
    theirs = log_odds(scored.model, face, sound, steps)
    middles = np.minimum(np.arange(steps) * 4 + 2, len(sound.voiced) - 1)
    out = []
    for one in stretches(face.series, sound.level[:steps], sound.voiced[middles]):
        score = evidence(one, scored.weights)
        at = np.minimum(one.first + np.arange(len(score)), len(theirs) - 1)
        lips = _mean(theirs[at], LIPS_STEPS)
        agrees = _mean(score, SCORE_STEPS) > AGREES
        added = TALKING * agrees * np.maximum(lips, 0) + RESTING * np.minimum(lips, 0)
        out.append((one.first, score + added))
    return out


def _mean(values: Double, steps: int) -> Double:
    """Mean around each step."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    at = np.arange(len(values))
    low, high = np.maximum(at - steps, 0), np.minimum(at + steps + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))
