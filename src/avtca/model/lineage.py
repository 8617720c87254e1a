"""Which speakers and corpora a network was trained on, including through its initial checkpoint."""

from collections.abc import Iterable, Mapping
from typing import Any

from avtca.compat import prose_names_corpus
from avtca.model.config import Card

SUBSETS = ("train", "validation")
UNNAMED = ("", "unknown")
"""Speakers of samples for which no speaker is given."""


def training_speakers(card: Card, *, include_validation: bool = True) -> dict[str, list[str]]:
    """The named speakers with a part in a network's weights.

    Args:
        card: Card of the network.
        include_validation: Count the validation speakers of the network's own training, where
            they chose its epoch.

    Returns:
        Corpus -> speakers, those of the initial checkpoint included.
    """
    run = _run(card)
    found: dict[str, set[str]] = {}
    for corpus, speakers in _initial(card).get("speakers", {}).items():
        found.setdefault(corpus, set()).update(speakers)
    if "corpus" in run and (own := _own_speakers(card, include_validation)):
        found.setdefault(run["corpus"], set()).update(own)
    return {corpus: sorted(speakers) for corpus, speakers in sorted(found.items())}


def training_corpora(card: Card) -> list[str]:
    """The corpora that the card lists as training data as a whole."""
    return sorted({name for record in _records(card) for name in record.get("corpora", ())})


def lineage_text(card: Card) -> str:
    """The training data in words, as the card and that of its initial checkpoint state them."""
    return "; ".join(filter(None, (card.provenance.get("data"), _initial(card).get("data"))))


def trained_on(
    card: Card, corpus: str, speakers: Iterable[str], *, include_validation: bool = True
) -> frozenset[str]:
    """Those of a corpus's speakers that had a part in a network's weights.

    All of them, where the card lists the corpus as training data. Of samples without a named
    speaker nothing is known, see :func:`has_unnamed_speakers`.
    """
    if any(_names_corpus(record, corpus) for record in _records(card)):
        return frozenset(speakers)
    named = training_speakers(card, include_validation=include_validation).get(corpus, ())
    return frozenset({*named} & {*speakers}).difference(UNNAMED)


def has_unnamed_speakers(card: Card, corpus: str) -> bool:
    """Whether a network was trained on samples of a corpus for which no speaker is given."""
    return not {*training_speakers(card).get(corpus, ())}.isdisjoint(UNNAMED)


def _names_corpus(record: Mapping[str, Any], corpus: str) -> bool:
    """By its list of corpora; cards without one (those of 0.1) have them in a sentence."""
    if "corpora" in record:
        return corpus in record["corpora"]
    return prose_names_corpus(str(record.get("data", "")), corpus)


def _records(card: Card) -> tuple[Mapping[str, Any], ...]:
    return card.provenance, _run(card), _initial(card)


def _run(card: Card) -> Mapping[str, Any]:
    """The data that the network's own training read."""
    return card.provenance.get("provenance") or {}


def _initial(card: Card) -> Mapping[str, Any]:
    """What is recorded of the checkpoint that the training started from."""
    return _run(card).get("init_from") or {}


def _own_speakers(card: Card, include_validation: bool) -> set[str]:
    chosen_by = (card.provenance.get("train_config") or {}).get("metric") != "none"
    subsets = SUBSETS if chosen_by and include_validation else SUBSETS[:1]
    return {
        speaker
        for subset in subsets
        for speaker in (card.provenance.get(subset) or {}).get("speakers", ())
    }
