"""Films of people for whom the settings were not chosen: a nested choice of settings."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, permutations
from unittest.mock import patch

import numpy as np
from speaker_clips import AUDIO_RATE, Clip, Float, mixed, shifted
from speaker_films import SHIFTS_S, UNSEEN, Tally, outcome
from speaker_fit import fit

from avtca.speaker import evidence, speech
from avtca.speaker.evidence import SpeakerWeights

LEVELS_DB, DECIDED = (25.0, 30.0, 35.0), (0.6, 0.7, 0.8)
"""Range of the levels, and the threshold."""
WRONG = 2.0
"""Weight of a wrong film in the choice, where a right one counts 1."""
Settings = tuple[float, float]
Films = dict[Settings, dict[tuple[str, str], Tally]]


def films(clips: Sequence[Clip], music: Float) -> Films:
    """Right, wrong and undecided films by settings and by the two people who are left out."""
    people = sorted({clip.person for clip in clips if clip.speaks})
    noise = np.random.default_rng(0).standard_normal(10 * AUDIO_RATE).astype(np.float32)
    noises = {
        f"two faces, {name}": {
            one.name: mixed(one, kind, db) for one in clips if one.wave is not None
        }
        for name, kind, db in (
            ("white noise, 10 dB", noise, 10), ("music and crowd, 5 dB", music, 5)
        )
    }  # fmt: skip
    found: Films = defaultdict(lambda: defaultdict(Tally))
    for levels in LEVELS_DB:
        with patch.object(evidence, "DYNAMIC_DB", levels):
            for pair in combinations(people, 2):
                rest = [clip for clip in clips if clip.person not in pair]
                weights, others = fit(rest), [clip for clip in rest if clip.speaks][::3]
                for decided in DECIDED:
                    with patch.object(speech, "DECIDED", decided):
                        tally = found[levels, decided][pair]
                        _pair(clips, pair, others, weights, tally, noises)
    return found


def _pair(
    clips: Sequence[Clip],
    pair: tuple[str, str],
    others: Sequence[Clip],
    weights: SpeakerWeights,
    tally: Tally,
    noises: dict[str, dict[str, Clip]],
) -> None:
    """Count the films of two people."""
    for first, second in permutations(pair):
        left = [clip for clip in clips if clip.person == first]
        b = next(clip for clip in clips if clip.person == second)
        for a in left:
            share = 1 / len(left)
            tally.add("two faces, sound of one", outcome([a, b], a, weights), 0, share)
            for name, loud in noises.items():
                if a.name in loud:
                    tally.add(name, outcome([a, b], loud[a.name], weights), 0, share)
            for s in SHIFTS_S:
                tally.add("two faces, its sound shifted by 0.5 s",
                          outcome([a, b], shifted(a, s), weights), UNSEEN, share)  # fmt: skip
            for c in others:
                tally.add("two faces, sound of a third person", outcome([a, b], c, weights),
                          UNSEEN, share / len(others))  # fmt: skip


def chosen(found: Films, without: tuple[str, str]) -> Settings:
    """The settings that are best on films without two people."""

    def value(settings: Settings) -> float:
        total = Tally()
        for pair, tally in found[settings].items():
            if not set(pair) & set(without):
                total.join(tally)
        shares = total.shares().values()
        return sum(one["right"] - WRONG * one["wrong"] for one in shares)

    return max(found, key=value)


def nested(clips: Sequence[Clip], music: Float) -> dict[str, object]:
    """Shares with the settings chosen for each pair on the films of the other people.

    Returns:
        "films" with the chosen settings, "packaged" with those of the package, "every" with each,
        and in "settings" how often each was chosen.

    The weights of those films were fitted on people of the pair too.
    """
    found = films(clips, music)
    total, counts = Tally(), defaultdict[str, int](int)
    for pair in next(iter(found.values())):
        settings = chosen(found, pair)
        counts[" ".join(f"{x:g}" for x in settings)] += 1
        total.join(found[settings][pair])
    used = Tally()
    for tally in found[evidence.DYNAMIC_DB, speech.DECIDED].values():
        used.join(tally)
    every = {}
    for settings, tallies in found.items():
        whole = Tally()
        for one in tallies.values():
            whole.join(one)
        every[" ".join(f"{x:g}" for x in settings)] = whole.shares()
    return {
        "every": every,
        "films": total.shares(),
        "packaged": used.shares(),
        "settings": dict(counts),
    }
