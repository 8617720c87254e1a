"""Whose samples are behind a network's weights, also by way of the weights that it started from."""

import re
from collections.abc import Iterable

from avtca.model.config import Card

SIDES = ("train", "validation")
NAMELESS = ("", "unknown")
"""Speakers of samples of whom nobody was named."""


def training_speakers(card: Card, *, choosing: bool = True) -> dict[str, list[str]]:
    """Corpus -> speakers who were trained on or chose the weights, or those these started from.

    Without ``choosing``, validation people of the network's own training do not count.
    """
    run = card.provenance.get("provenance") or {}
    found: dict[str, set[str]] = {}
    for corpus, people in (run.get("init_from") or {}).get("speakers", {}).items():
        found.setdefault(corpus, set()).update(people)
    if "corpus" in run and (own := _own(card, choosing)):
        found.setdefault(run["corpus"], set()).update(own)
    return {corpus: sorted(people) for corpus, people in sorted(found.items())}


def _own(card: Card, choosing: bool) -> set[str]:
    """Speakers of the network's own training; validation people where they chose its weights."""
    chose = (card.provenance.get("train_config") or {}).get("metric") != "none"
    sides = SIDES if chose and choosing else SIDES[:1]
    return {who for side in sides for who in (card.provenance.get(side) or {}).get("speakers", ())}


def lineage_text(card: Card) -> str:
    """What is said in words of the data behind the weights, as a packaged model does."""
    start = (card.provenance.get("provenance") or {}).get("init_from") or {}
    return "; ".join(filter(None, (card.provenance.get("data", ""), start.get("data", ""))))


def trained_on(
    card: Card, corpus: str, speakers: Iterable[str], *, choosing: bool = True
) -> frozenset[str]:
    """Those of a corpus's ``speakers`` who are behind the weights; see :func:`training_speakers`.

    Everybody, where words name the corpus; of people without a name nothing is known
    (:func:`unchecked`).
    """
    if corpus in re.sub("[^a-z0-9]", "", lineage_text(card).lower()):
        return frozenset(speakers)
    behind = training_speakers(card, choosing=choosing).get(corpus, ())
    return frozenset({*behind} & {*speakers}).difference(NAMELESS)


def unchecked(card: Card, corpus: str) -> str:
    """What to say where nobody knows who of such a corpus was trained on; else empty."""
    if {*training_speakers(card).get(corpus, ())}.isdisjoint(NAMELESS):
        return ""
    return "the training names no people: whether these had a part in it could not be checked"
