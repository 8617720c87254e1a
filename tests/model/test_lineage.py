"""Training speakers and corpora of a network, including those of its initial checkpoint."""

from made_samples import SPEC

from avtca.model import ModelConfig
from avtca.model.config import Card
from avtca.model.lineage import (
    has_unnamed_speakers,
    trained_on,
    training_corpora,
    training_speakers,
)


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


def test_validation_speakers_and_those_of_the_initial_checkpoint_count():
    found = card(**OWN)
    assert training_speakers(found) == {"emodb": ["e"], "ravdess": ["a", "b", "c", "d"]}
    assert trained_on(found, "ravdess", "acdx") == {"a", "c", "d"}
    assert trained_on(found, "emodb", "ae") == {"e"}
    assert trained_on(found, "cremad", "abcde") == frozenset()


def test_validation_speakers_that_chose_no_epoch_do_not_count():
    kept_last = card(**OWN, train_config={"metric": "none"})
    assert trained_on(kept_last, "ravdess", "abcd") == {"a", "b", "d"}
    assert trained_on(card(**OWN), "ravdess", "abcd", include_validation=False) == {"a", "b", "d"}


def test_corpora_in_the_prose_of_a_card_count():
    told = {"corpus": "folder", "init_from": {"data": "FERPlus, CREMA-D and EMO-DB"}}
    for found in (card(data="EMO-DB (free)"), card(provenance=told)):
        assert trained_on(found, "emodb", ["03"]) == {"03"}
        assert not trained_on(found, "nemo", ["03"])


def test_nothing_is_known_of_unnamed_speakers():
    for nobody in ("", "unknown"):
        found = card(train={"speakers": [nobody]}, provenance={"corpus": "folder"})
        assert trained_on(found, "folder", ["", "unknown", "anna"]) == frozenset()
        assert has_unnamed_speakers(found, "folder")
        assert not has_unnamed_speakers(found, "ravdess")
    assert not has_unnamed_speakers(card(**OWN), "ravdess")


def test_a_list_of_corpora_decides_in_place_of_prose():
    listed = card(corpora=["emodb"], data="EMO-DB, after an idea of the authors of nEMO")
    assert trained_on(listed, "emodb", ["03"]) == {"03"}
    assert not trained_on(listed, "nemo", ["03"])
    initial = card(provenance={"corpus": "ravdess", "init_from": {"corpora": ["nemo"]}})
    assert trained_on(initial, "nemo", ["03"]) == {"03"}
    assert training_corpora(initial) == ["nemo"]
