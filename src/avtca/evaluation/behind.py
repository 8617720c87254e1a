"""Whose takes are behind a network's weights, also by way of the weights that it started from."""

import re
from collections.abc import Iterable

from avtca.model.config import Card

SIDES = ("train", "validation")


def people_behind(card: Card) -> dict[str, list[str]]:
    """Corpus -> speakers who were trained on or chose the weights, or those these started from."""
    run = card.provenance.get("provenance") or {}
    found: dict[str, set[str]] = {}
    for corpus, people in (run.get("start") or {}).get("people", {}).items():
        found.setdefault(corpus, set()).update(people)
    for side in SIDES:
        people = (card.provenance.get(side) or {}).get("speakers", ())
        if people and "corpus" in run:
            found.setdefault(run["corpus"], set()).update(people)
    return {corpus: sorted(people) for corpus, people in sorted(found.items())}


def words_behind(card: Card) -> str:
    """What is said in words of the data behind the weights, as a packaged model does."""
    start = (card.provenance.get("provenance") or {}).get("start") or {}
    return "; ".join(filter(None, (card.provenance.get("data", ""), start.get("data", ""))))


def trained_on(
    card: Card, corpus: str, speakers: Iterable[str], sides: Iterable[str] = SIDES
) -> frozenset[str]:
    """Those of a corpus's ``speakers`` who had a part in the weights, or in their start's.

    Everybody, where words name the corpus. ``sides``: what counts of the network's own training;
    of its start always both do.
    """
    if corpus in re.sub("[^a-z0-9]", "", words_behind(card).lower()):
        return frozenset(speakers)
    run = card.provenance.get("provenance") or {}
    found = set((run.get("start") or {}).get("people", {}).get(corpus, ()))
    if run.get("corpus") == corpus:
        found.update(*((card.provenance.get(side) or {}).get("speakers", ()) for side in sides))
    return frozenset(found & set(speakers))
