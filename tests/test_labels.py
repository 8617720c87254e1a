"""Label sets and the mappings between them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from avtca import labels

SETS = {
    "SEVEN": labels.SEVEN,
    "RAVDESS": labels.RAVDESS,
    "MOSEI": labels.MOSEI,
    "FERPLUS": labels.FERPLUS,
    "FER2013": labels.FER2013,
    "CREMAD": tuple(labels.CREMAD.values()),
    "EMODB": tuple(labels.EMODB.values()),
    "NEMO": tuple(labels.NEMO.values()),
}


@pytest.mark.parametrize("name", SETS)
def test_labels_are_unique_and_canonical(name: str) -> None:
    names = SETS[name]
    assert len(set(names)) == len(names)
    assert [labels.canonical(word) for word in names] == list(names)


def test_seven_is_alphabetical_and_within_every_seven_way_set() -> None:
    assert list(labels.SEVEN) == sorted(labels.SEVEN)
    assert set(labels.FER2013) == set(labels.SEVEN)
    assert set(labels.RAVDESS) == {*labels.SEVEN, "calm"}


def test_canonical_and_to_seven() -> None:
    assert labels.canonical(" Fearful ") == "fear"
    assert labels.canonical("HAPPINESS") == "happy"
    assert labels.canonical("calm") == "calm"
    assert labels.to_seven("Calm") == "neutral"
    assert labels.to_seven("surprised") == "surprise"
    assert labels.to_seven("boredom") is None
    assert labels.to_seven("contempt") is None
    for word in labels.SYNONYMS:
        assert labels.to_seven(word) in labels.SEVEN


def test_order_map_moves_scores_to_the_target_order() -> None:
    scores = np.arange(len(labels.FER2013))
    moved = scores[labels.order_map(labels.FER2013, labels.SEVEN)]
    assert [labels.FER2013[k] for k in moved] == list(labels.SEVEN)
    with pytest.raises(ValueError):
        labels.order_map(labels.SEVEN, labels.RAVDESS)


def test_codes_are_those_of_the_files(corpora: Path) -> None:
    codes = {path.stem.split("_")[2] for path in (corpora / "cremad").glob("*.flv")}
    assert codes == set(labels.CREMAD)
    letters = {path.stem[5] for path in (corpora / "emodb").glob("*.opus")}
    assert letters == set(labels.EMODB)
    with (corpora / "nemo" / "labels.csv").open() as lines:
        assert {row["emotion"] for row in csv.DictReader(lines)} == set(labels.NEMO)
    with np.load(corpora / "ferplus" / "ferplus.npz") as data:
        columns = [str(name) for name in data["vote_columns"]]
    assert [labels.canonical(name) for name in columns[:8]] == list(labels.FERPLUS)
