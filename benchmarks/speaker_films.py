"""Films of several people, made of the clips, and who speaks in them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations

import numpy as np
from speaker_clips import (
    AUDIO_RATE,
    GRID,
    MOUTH_RATE,
    VOICE_RATE,
    Clip,
    Float,
    joined,
    mixed,
    part,
    shifted,
)
from speaker_combined import Combined, odds

from avtca.speaker import SpeakerModel, find_speakers
from avtca.speaker.evidence import SpeakerWeights
from avtca.speaker.speech import UNKNOWN, UNSEEN

SHIFTS_S = (0.5, -0.5)
KINDS = "right", "wrong", "undecided"
Scored = SpeakerWeights | SpeakerModel | Combined
Score = Callable[[Sequence[Clip]], Scored]
"""What finds the speakers of a film, from the clips of the people who are not in it."""


def outcome(
    faces: Sequence[Clip],
    sound: Clip,
    weights: Scored,
    still: Iterable[int] = (),
) -> int:
    """Who speaks most in a film: number of the face, UNSEEN, or UNKNOWN."""
    length_s = min(clip.length_s for clip in (*faces, sound))
    steps, ticks = round(length_s * MOUTH_RATE), round(length_s * VOICE_RATE)
    fitted = weights if isinstance(weights, SpeakerWeights) else None
    given = None
    if not isinstance(weights, SpeakerWeights):
        given = {k: odds(weights, one, sound, steps) for k, one in enumerate(faces)}
    speech = find_speakers(
        {k: clip.series for k, clip in enumerate(faces)},
        sound.level[:steps],
        sound.voiced[:ticks],
        still=set(still),
        weights=fitted,
        odds=given,
    )
    found = Counter(speech.speaker[speech.voiced].tolist())
    named = [(n, who) for who, n in found.items() if who != UNKNOWN]
    n, who = max(named, default=(0, UNKNOWN))
    return who if n >= 0.5 * found.total() else UNKNOWN


class Tally:
    """Right, wrong and undecided, each person in view with the same weight."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, condition: str, found: int, right: int, weight: float) -> None:
        """Count a film."""
        kind = "right" if found == right else "undecided" if found == UNKNOWN else "wrong"
        counts = self.counts.setdefault(condition, Counter())
        counts[kind] += weight
        counts["films"] += 1

    def join(self, other: "Tally") -> None:
        """Count the films of another one too."""
        for name, counts in other.counts.items():
            mine = self.counts.setdefault(name, Counter())
            for kind, n in counts.items():
                mine[kind] += n

    def shares(self) -> dict[str, dict[str, float]]:
        """By condition: number of films, and shares."""
        out = {}
        for name, counts in self.counts.items():
            total = sum(counts[kind] for kind in KINDS)
            shares = {kind: round(counts[kind] / total, 3) for kind in KINDS}
            out[name] = {"films": counts["films"], **shares}
        return out


def short_films(clips: Sequence[Clip], music: Float, tally: Tally, score: Score) -> None:
    """Films of a clip's length, two people left out in turn."""
    people = sorted({clip.person for clip in clips if clip.speaks})
    listeners = [clip for clip in clips if not clip.speaks]
    noise = np.random.default_rng(0).standard_normal(10 * AUDIO_RATE).astype(np.float32)
    for pair in combinations(people, 2):
        rest = [clip for clip in clips if clip.person not in pair]
        weights, others = score(rest), [clip for clip in rest if clip.speaks]
        for first, second in permutations(pair):
            left = [clip for clip in clips if clip.person == first]
            right = [clip for clip in clips if clip.person == second]
            third = others[:: max(1, len(others) // 3)]
            for a, share in ((clip, 1 / len(left)) for clip in left):
                one = {"weights": weights}
                each = share / len(right)
                for b in right:
                    tally.add("two faces, sound of one", outcome([a, b], a, **one), 0, each)
                    for s in SHIFTS_S:
                        tally.add("two faces, its sound shifted by 0.5 s",
                                  outcome([a, b], shifted(a, s), **one), UNSEEN, each)  # fmt: skip
                b = right[0]
                for c in others:
                    tally.add("two faces, sound of a third person", outcome([a, b], c, **one),
                              UNSEEN, share / len(others))  # fmt: skip
                for n in (2, 3):
                    faces = [a, b, *third[: n - 1]]
                    tally.add(f"{n + 1} faces, sound of one", outcome(faces, a, **one), 0, share)
                tally.add("speaker and photograph", outcome([a, b], a, still=[1], **one), 0, share)
                tally.add("photograph, sound of the other", outcome([b], a, still=[0], **one),
                          UNSEEN, share)  # fmt: skip
                for name, kind, db in (
                    ("white noise, 10 dB", noise, 10), ("music and crowd, 5 dB", music, 5)
                ):  # fmt: skip
                    loud = mixed(a, kind, db) if a.wave is not None else a
                    if loud is not a:
                        tally.add(f"two faces, {name}", outcome([a, b], loud, **one), 0, share)
                if second == people[0] or (first == people[0] and second == people[1]):
                    tally.add("one face, its sound", outcome([a], a, **one), 0, share)
                    tally.add("one face, its sound shifted by 0.5 s",
                              outcome([a], shifted(a, 0.5), **one), UNSEEN, share)  # fmt: skip
                    for c in others:
                        tally.add("one face, sound of another person", outcome([a], c, **one),
                                  UNSEEN, share / len(others))  # fmt: skip
                    for c in left:
                        if c is not a:
                            tally.add("same person twice, sound of one",
                                      outcome([a, c], a, **one), 0, share)  # fmt: skip
                    if first != "obama":
                        tally.add("speaker and listener", outcome([a, listeners[0]], a, **one), 0,
                                  share)  # fmt: skip
                        tally.add("listener, sound of the other",
                                  outcome([listeners[0]], a, **one), UNSEEN, share)  # fmt: skip


def long_films(clips: Sequence[Clip], tally: Tally, score: Score) -> None:
    """Films of 8 to 10 s, of the three people with that much, two of them left out in turn.

    Clips of one person in a random order.
    """
    rng = np.random.default_rng(0)
    long = [clip for clip in clips if clip.speaks and clip.person not in GRID]
    listener = joined([clip for clip in clips if not clip.speaks])

    def track(person: str, longest_s: float = 10.0) -> Clip:
        mine = [clip for clip in long if clip.person == person]
        order = range(len(mine)) if person == "obama" else rng.permutation(len(mine))
        return part(joined([mine[k] for k in order]), 0, longest_s)

    for pair in combinations(sorted({clip.person for clip in long}), 2):
        rest = [clip for clip in clips if clip.person not in pair]
        weights, others = score(rest), [clip for clip in rest if clip.speaks]
        for first, second in permutations(pair):
            for _ in range(5):
                a, b = track(first), track(second)
                third = joined([others[k] for k in rng.permutation(len(others))[:4]])
                tally.add("8 s, two faces, sound of one", outcome([a, b], a, weights), 0, 1)
                for s in (0.5, 2.0):
                    tally.add(f"8 s, two faces, its sound shifted by {s:g} s",
                              outcome([a, b], shifted(a, s), weights), UNSEEN, 1)  # fmt: skip
                tally.add("8 s, two faces, sound of others", outcome([a, b], third, weights),
                          UNSEEN, 1)  # fmt: skip
                tally.add("8 s, one face, its sound", outcome([a], a, weights), 0, 1)
                tally.add("8 s, one face, sound of others", outcome([a], third, weights), UNSEEN, 1)
                if first == "obama":
                    found = outcome([a, listener], a, weights)
                    tally.add("8 s, speaker and listener", found, 0, 1)
