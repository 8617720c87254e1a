"""Whose samples are behind a network's weights."""

from made_samples import SPEC

from avtca.model import ModelConfig
from avtca.model.config import Card
from avtca.model.lineage import trained_on, training_speakers, unchecked


def card(**provenance):
    config = ModelConfig.for_spec(SPEC)
    return Card(variant="figure", config=config, clip_spec=SPEC, provenance=provenance)


OWN = {
    "train": {"speakers": ["a", "b"]},
    "validation": {"speakers": ["c"]},
    "provenance": {
        "corpus": "ravdess",
        "init_from": {"speakers": {"ravdess": ["d"], "emodb": ["e"]}},
    },
}


def test_those_who_chose_and_those_behind_the_start_count():
    found = card(**OWN)
    assert training_speakers(found) == {"emodb": ["e"], "ravdess": ["a", "b", "c", "d"]}
    assert trained_on(found, "ravdess", "acdx") == {"a", "c", "d"}
    assert trained_on(found, "emodb", "ae") == {"e"}
    assert trained_on(found, "cremad", "abcde") == frozenset()


def test_validation_people_count_for_nothing_where_they_chose_nothing():
    kept_last = card(**OWN, train_config={"metric": "none"})
    assert trained_on(kept_last, "ravdess", "abcd") == {"a", "b", "d"}
    assert trained_on(card(**OWN), "ravdess", "abcd", choosing=False) == {"a", "b", "d"}


def test_words_of_a_start_count_as_the_networks_own():
    told = {"corpus": "folder", "init_from": {"data": "FERPlus, CREMA-D and EMO-DB"}}
    for found in (card(data="EMO-DB (free)"), card(provenance=told)):
        assert trained_on(found, "emodb", ["03"]) == {"03"}
        assert not trained_on(found, "nemo", ["03"])


def test_of_people_without_a_name_nothing_is_known():
    for nobody in ("", "unknown"):
        found = card(train={"speakers": [nobody]}, provenance={"corpus": "folder"})
        assert trained_on(found, "folder", ["", "unknown", "anna"]) == frozenset()
        assert "names no people" in unchecked(found, "folder")
        assert unchecked(found, "ravdess") == ""
    assert unchecked(card(**OWN), "ravdess") == ""
