"""The turns of a conversation: who speaks when."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.speaker.evidence import (
    SpeakerWeights,
    evidence,
    near,
    packaged_weights,
    stretches,
)
from avtca.speaker.model import FaceSeries
from avtca.speaker.mouths import MOUTH_RATE, MouthSeries

VOICE_RATE = 100
"""Ticks a second of the voice activity."""
CHUNK = 5
"""Steps of the mouths, of which one decision is made: 0.2 s."""
SWITCH = 0.04
"""Probability that another one speaks in the next chunk: turns of 5 s."""
DECIDED = 0.7
"""Probability from which a speaker is named, or nobody in view. Chosen with a look at
the films of docs/speaker.md."""
MAX_EVIDENCE = 3.0
"""Most that one chunk adds to the log odds of a face."""
MIN_HEARD = 0.5
"""Share of the voice in a window that must be decided for its ``speaking`` to be a number."""
MERGE_S = 0.3
"""Turns of one speaker that are nearer are one turn."""
MAX_INTERVAL_S = 0.07
"""Longest usual time between two frames; with fewer frames a speaker is not decided."""
UNKNOWN, UNSEEN = -2, -1
"""In place of a person number: undecided, and nobody in view."""
OFF_SCREEN, UNDECIDED = "off screen", "undecided"
"""The same as text."""
Double = NDArray[np.float64]
Stretched = tuple[int, Double]


@dataclass(frozen=True)
class Turn:
    """A stretch of speech by one speaker.

    Attributes:
        start_s: Start in seconds of the clip.
        end_s: End in seconds of the clip.
        person: Person number, ``None`` where nobody in view speaks or it is undecided.
        visible: Whether the speaker is in view; ``None`` where it is undecided.
    """

    start_s: float
    end_s: float
    person: int | None = None
    visible: bool | None = None

    @property
    def speaker(self) -> str:
        """The speaker as text: "person 1", "off screen" or "undecided"."""
        if self.person is not None:
            return f"person {self.person}"
        return UNDECIDED if self.visible is None else OFF_SCREEN

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "person": self.person,
            "visible": self.visible,
        }


@dataclass(frozen=True)
class Speech:
    """Voice and speakers of a clip.

    Attributes:
        speaker: int ``(n_ticks,)``, 100 a second: person number where this person speaks,
            :data:`UNSEEN`, or :data:`UNKNOWN`.
        voiced: bool ``(n_ticks,)``.
        first_tick: Tick of the clip at which both begin.
    """

    speaker: NDArray[np.int64] = field(repr=False)
    voiced: NDArray[np.bool_] = field(repr=False)
    first_tick: int = 0

    def heard(self, start_s: float, end_s: float, person: int) -> float | None:
        """Share of the voice between two seconds that is this person's, 0 without a voice.

        ``None`` where most of the voice is undecided. ``person`` may be :data:`UNSEEN`.
        """
        part = self._part(start_s, end_s)
        speaker = self.speaker[part][self.voiced[part]]
        decided = speaker != UNKNOWN
        if not len(speaker):
            return 0.0
        if decided.mean() < MIN_HEARD:
            return None
        return float((speaker == person).sum() / decided.sum())

    def share(self, start_s: float, end_s: float, person: int) -> float | None:
        """Share of the time between two seconds in which a person speaks.

        ``None`` where most of the voice is undecided.
        """
        part = self._part(start_s, end_s)
        heard = self.heard(start_s, end_s, person)
        return heard and heard * float(self.voiced[part].mean())

    def people(self, start_s: float, end_s: float) -> dict[int, float]:
        """Share of the decided voice between two seconds of each person in view who speaks.

        Empty where most of the voice is undecided.
        """
        part = self._part(start_s, end_s)
        numbers = np.unique(self.speaker[part])
        shares = {int(one): self.heard(start_s, end_s, int(one)) for one in numbers if one >= 0}
        return {number: share for number, share in shares.items() if share}

    def _part(self, start_s: float, end_s: float) -> slice:
        start, end = (round(edge * VOICE_RATE) - self.first_tick for edge in (start_s, end_s))
        return slice(max(0, start), max(0, end))

    def turns(self) -> tuple[Turn, ...]:
        """The turns, by time."""
        out: list[Turn] = []
        for start, stop in _runs(np.where(self.voiced, self.speaker, UNKNOWN - 1)):
            if not self.voiced[start]:
                continue
            person = int(self.speaker[start])
            visible = None if person == UNKNOWN else person != UNSEEN
            who = person if visible else None
            start_s, end_s = ((edge + self.first_tick) / VOICE_RATE for edge in (start, stop))
            last = out[-1] if out else None
            same = last is not None and (last.person, last.visible) == (who, visible)
            if same and start_s - out[-1].end_s < MERGE_S:
                start_s = out.pop().start_s
            out.append(Turn(start_s, end_s, who, visible))
        return tuple(out)


def find_speakers(
    mouths: Mapping[int, MouthSeries | FaceSeries],
    level: Double,
    voiced: NDArray[np.bool_],
    *,
    still: Collection[int] = (),
    weights: SpeakerWeights | None = None,
    odds: Mapping[int, Sequence[Stretched]] | None = None,
) -> Speech:
    """Find who speaks.

    Args:
        mouths: Mouth of each person, or its face with ``odds``.
        level: Level of the clip in decibels, 25 a second, see :class:`SpeechLevels`.
        voiced: Voice activity, 100 a second.
        still: People whose faces never move, who do not speak.
        weights: By default those that are installed with avtca.
        odds: Evidence of each person from a speaker model in place of these: first step and log
            odds of each time in view.
    """
    weights = weights or packaged_weights()
    middles = np.minimum((np.arange(len(level)) * 4 + 2), max(0, len(voiced) - 1))
    at_steps = voiced[middles] if len(voiced) else np.zeros(len(level), np.bool_)
    n_chunks = -(-len(voiced) * MOUTH_RATE // (VOICE_RATE * CHUNK))
    who = np.full(n_chunks, UNSEEN)
    found: dict[int, dict[int, float]] = {}
    for person, series in mouths.items():
        if person in still:
            continue
        seen = np.array(series.times) * (MOUTH_RATE / CHUNK)
        who[np.clip(seen.astype(int), 0, max(0, n_chunks - 1))[: n_chunks and None]] = UNKNOWN
        if len(seen) > 1 and np.median(np.diff(series.times)) > MAX_INTERVAL_S:
            continue
        given = None if odds is None else odds.get(person, ())
        by_chunk: dict[int, float] = {}
        for first, values in _evidence(series, given, level, at_steps, weights):
            offset = first % CHUNK
            added = np.bincount((offset + np.arange(len(values))) // CHUNK, values)
            for chunk, value in enumerate(added.tolist(), first // CHUNK):
                by_chunk[chunk] = by_chunk.get(chunk, 0) + value
        if by_chunk:
            found[person] = by_chunk
    for scene in _scenes(found):
        _decide(scene, found, who)
    ticks = np.minimum(np.arange(len(voiced)) // (VOICE_RATE * CHUNK // MOUTH_RATE), n_chunks - 1)
    speaker = who[ticks] if n_chunks else np.zeros(0, np.int64)
    return Speech(speaker, voiced)


def _evidence(
    series: MouthSeries | FaceSeries,
    given: Sequence[Stretched] | None,
    level: Double,
    voiced: NDArray[np.bool_],
    weights: SpeakerWeights,
) -> Iterator[Stretched]:
    """First step and log odds of each stretch, 0 where nobody is heard."""
    if given is None and isinstance(series, MouthSeries):
        for one in stretches(series, level, voiced):
            yield one.first, evidence(one, weights)
        return
    heard = near(voiced)
    for first, values in given or ():
        inside = values[: max(0, len(heard) - first)]
        yield first, np.where(heard[first : first + len(inside)], inside, 0.0)


@dataclass
class _Scene:
    """Chunks ``first`` to ``stop``, with the people in view in some of them."""

    first: int
    stop: int
    people: set[int]


def _scenes(found: Mapping[int, Mapping[int, float]]) -> Iterator[_Scene]:
    """Scenes that share no person."""
    spans = sorted((min(odds), max(odds) + 1, person) for person, odds in found.items())
    scene: _Scene | None = None
    for first, stop, person in spans:
        if scene is not None and first < scene.stop:
            scene.stop = max(scene.stop, stop)
            scene.people.add(person)
            continue
        if scene is not None:
            yield scene
        scene = _Scene(first, stop, {person})
    if scene is not None:
        yield scene


def _decide(
    scene: _Scene, found: Mapping[int, Mapping[int, float]], who: NDArray[np.int64]
) -> None:
    """Name the speaker of each chunk of a scene: hidden Markov model, forward and backward."""
    people = sorted(scene.people)
    n = min(scene.stop, len(who)) - scene.first
    if n <= 0:
        return
    log_odds = np.full((n, 1 + len(people)), -np.inf)
    log_odds[:, 0] = 0  # nobody in view
    for column, person in enumerate(people, 1):
        for chunk, value in found[person].items():
            if 0 <= chunk - scene.first < n:
                value = min(max(value, -MAX_EVIDENCE), MAX_EVIDENCE)
                log_odds[chunk - scene.first, column] = value
    likelihood = np.exp(log_odds)
    in_view = np.isfinite(log_odds)
    forward, backward = np.empty_like(likelihood), np.ones_like(likelihood)
    state = in_view[0] / in_view[0].sum()
    for k in range(n):
        if k:
            state = _switched(state, in_view[k])
        state = state * likelihood[k]
        forward[k] = state = state / state.sum()
    state = np.ones(1 + len(people))
    for k in range(n - 2, -1, -1):
        after = state * likelihood[k + 1]
        mean = after[in_view[k + 1]].mean()
        state = (1 - SWITCH) * np.where(in_view[k + 1], after, mean) + SWITCH * mean
        state /= state.max()
        backward[k] = state
    posterior = forward * backward
    posterior /= posterior.sum(axis=1, keepdims=True)
    names = np.array([UNSEEN, *people])
    best = posterior.argmax(axis=1)
    sure = posterior.max(axis=1) >= DECIDED
    who[scene.first : scene.first + n] = np.where(sure, names[best], UNKNOWN)


def _switched(state: Double, in_view: NDArray[np.bool_]) -> Double:
    """Probabilities a chunk later; those who left are replaced by anyone in view."""
    lost = float(state[~in_view].sum())
    moved = SWITCH * (1 - lost) + lost
    return np.where(in_view, (1 - SWITCH) * state + moved / in_view.sum(), 0.0)


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last-but-one index of equal values."""
    if not len(values):
        return []
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = [0, *edges.tolist()]
    return list(zip(starts, [*starts[1:], len(values)], strict=True))
