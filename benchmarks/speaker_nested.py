"""Films of people for whom the settings were not chosen: a nested choice of settings."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, permutations, product
from unittest.mock import patch

from speaker_clips import Clip, shifted
from speaker_films import SHIFTS_S, UNSEEN, Tally, outcome
from speaker_fit import fit

from avtca.speaker import evidence, speech

LEVELS_DB, LOCAL_STEPS, DECIDED = (25.0, 35.0), (50, 100), (0.6, 0.7, 0.8, 0.9)
"""Range of the levels, steps around each over which means are taken, and the threshold."""
WRONG = 2.0
"""Weight of a wrong film in the choice, where a right one counts 1."""
Films = dict[tuple[float, int, float], dict[tuple[str, str], Tally]]


def films(clips: Sequence[Clip]) -> Films:
    """Right, wrong and undecided films by settings and by the two people who are left out."""
    people = sorted({clip.person for clip in clips if clip.speaks})
    found: Films = defaultdict(lambda: defaultdict(Tally))
    for levels, local in product(LEVELS_DB, LOCAL_STEPS):
        with (
            patch.object(evidence, "DYNAMIC_DB", levels),
            patch.object(evidence, "LOCAL_STEPS", local),
        ):
            for pair in combinations(people, 2):
                rest = [clip for clip in clips if clip.person not in pair]
                weights, others = fit(rest), [clip for clip in rest if clip.speaks][::3]
                for decided in DECIDED:
                    with patch.object(speech, "DECIDED", decided):
                        tally = found[levels, local, decided][pair]
                        _pair(clips, pair, others, weights, tally)
    return found


def _pair(clips, pair, others, weights, tally) -> None:  # type: ignore[no-untyped-def]
    for first, second in permutations(pair):
        left = [clip for clip in clips if clip.person == first]
        b = next(clip for clip in clips if clip.person == second)
        for a in left:
            share = 1 / len(left)
            tally.add("two faces, sound of one", outcome([a, b], a, weights), 0, share)
            for s in SHIFTS_S:
                tally.add("two faces, its sound shifted by 0.5 s",
                          outcome([a, b], shifted(a, s), weights), UNSEEN, share)  # fmt: skip
            for c in others:
                tally.add("two faces, sound of a third person", outcome([a, b], c, weights),
                          UNSEEN, share / len(others))  # fmt: skip


def chosen(found: Films, without: tuple[str, str]) -> tuple[float, int, float]:
    """The settings that are best on films without two people."""

    def value(settings: tuple[float, int, float]) -> float:
        total = Tally()
        for pair, tally in found[settings].items():
            if not set(pair) & set(without):
                total.join(tally)
        shares = total.shares().values()
        return sum(one["right"] - WRONG * one["wrong"] for one in shares)

    return max(found, key=value)


def nested(clips: Sequence[Clip]) -> dict[str, object]:
    """Shares with the settings chosen for each pair on the films of the other people.

    The weights of those films were fitted on people of the pair too.
    """
    found = films(clips)
    total, counts = Tally(), defaultdict[str, int](int)
    for pair in next(iter(found.values())):
        settings = chosen(found, pair)
        counts[" ".join(f"{x:g}" for x in settings)] += 1
        total.join(found[settings][pair])
    used = Tally()
    for tally in found[evidence.DYNAMIC_DB, evidence.LOCAL_STEPS, speech.DECIDED].values():
        used.join(tally)
    return {"films": total.shares(), "packaged": used.shares(), "settings": dict(counts)}
