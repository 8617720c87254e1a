"""The frozen folds: what they hold, that subsets are disjoint, that they stay frozen."""

import json
from pathlib import Path

import pandas as pd
import pytest
from make_folds import FROM_RULE, cremad_5fold, ravdess_luna_5fold, ravdess_samples

from avtca.corpora.splits import (
    FOLDS_DIR,
    SUBSETS,
    fold_names,
    load_folds,
    random_folds,
    resolve_folds,
    speaker_kfold,
    split_column,
)
from avtca.errors import CorpusError

FROZEN = {
    "cremad_5fold": "3f44d46676ad",
    "emodb_leave_one_speaker_out": "73e021b0b409",
    "mosei_official": "972f117e1298",
    "paper_random_80_20": "94cf098230aa",
    "ravdess_6fold": "3b8556f8e2d7",
    "ravdess_chumachenko": "e40833e9a6f1",
    "ravdess_leave_one_actor_out": "3e8b1c3724b7",
    "ravdess_luna_5fold": "cb22176fae84",
    "ravdess_released": "e4f4ac04b0ad",
}
N_SPEAKERS = {
    "ravdess_6fold": 24,
    "ravdess_luna_5fold": 24,
    "ravdess_leave_one_actor_out": 24,
    "cremad_5fold": 91,
    "emodb_leave_one_speaker_out": 10,
}


def test_the_hashes_are_frozen() -> None:
    assert {name: load_folds(name).hash for name in fold_names()} == FROZEN


@pytest.mark.parametrize("name", sorted(FROZEN))
def test_subsets_are_disjoint(name: str) -> None:
    folds = load_folds(name)
    for split in folds.folds:
        assert all(split)
        assert len(frozenset.union(*split)) == sum(len(part) for part in split)


@pytest.mark.parametrize("name", sorted(N_SPEAKERS))
def test_every_speaker_is_tested_once_and_in_every_fold(name: str) -> None:
    folds = load_folds(name)
    tested = [one for split in folds.folds for one in split.test]
    assert len(tested) == len(set(tested)) == N_SPEAKERS[name]
    for split in folds.folds:
        assert frozenset.union(*split) == set(tested)


@pytest.mark.parametrize("name", [n for n in sorted(FROZEN) if n.startswith("ravdess")])
def test_ravdess_validation_speakers_are_two_women_and_two_men(name: str) -> None:
    for split in load_folds(name).folds:
        assert sorted(int(actor) % 2 for actor in split.validation) == [0, 0, 1, 1]


def test_published_splits_are_as_published() -> None:
    chumachenko = load_folds("ravdess_chumachenko").folds[0]
    assert chumachenko.test == {"05", "10", "16", "19"}
    assert chumachenko.validation == {"11", "13", "18", "22"}
    released = load_folds("ravdess_released").folds[0]
    assert released.test == {"01", "02", "03", "04"}
    assert released.train == {f"{actor:02d}" for actor in range(9, 25)}
    mosei = load_folds("mosei_official").folds[0]
    assert [len(part) for part in mosei] == [2250, 300, 678]
    assert (
        "hh04W3xXa5s" in mosei.train
        and "7l3BNtSE0xc" in mosei.test
        and "188343" in mosei.validation
    )


def test_luna_folds_are_those_of_the_published_table(corpora: Path) -> None:
    table = pd.read_csv(corpora / "ravdess" / "luna_folds.csv", dtype=str)
    actor = table["clip"].str[-2:]
    assert table.groupby(actor)["test_fold"].nunique().max() == 1
    for k, split in enumerate(load_folds("ravdess_luna_5fold").folds):
        assert split.test == set(actor[table["test_fold"] == str(k)])
    assert (
        ravdess_luna_5fold(corpora / "ravdess" / "luna_folds.csv").hash
        == FROZEN["ravdess_luna_5fold"]
    )


def test_cremad_folds_are_balanced_by_sex(corpora: Path) -> None:
    path = corpora / "cremad" / "VideoDemographics.csv"
    sex = pd.read_csv(path, dtype=str).set_index("ActorID")["Sex"]
    for split in load_folds("cremad_5fold").folds:
        for part in split:
            women = sum(sex[actor] == "Female" for actor in part)
            assert abs(women / len(part) - (sex == "Female").mean()) < 0.1
    assert cremad_5fold(path).hash == FROZEN["cremad_5fold"]


@pytest.mark.parametrize("make", FROM_RULE)
def test_the_files_are_what_their_rule_makes(make) -> None:
    made = make()
    assert (FOLDS_DIR / f"{made.name}.json").read_text("utf-8") == made.to_json()


def test_the_papers_split_is_over_samples_and_warns() -> None:
    folds = load_folds("paper_random_80_20")
    assert folds.unit == "sample_id"
    assert "every speaker" in folds.warning
    split = folds.folds[0]
    assert frozenset.union(*split) == set(ravdess_samples())
    assert len(split.test) == 288
    actors = [{sample[-2:] for sample in part} for part in split]
    assert all(len(part) == 24 for part in actors)


def test_random_folds_depend_on_names_alone() -> None:
    samples = [f"take{k}" for k in range(50)]
    assert random_folds(samples).hash == random_folds(reversed(samples)).hash
    assert [len(part) for part in random_folds(samples).folds[0]] == [35, 5, 10]


def test_speaker_folds_depend_on_the_speakers_alone() -> None:
    manifest = pd.DataFrame({"sample_id": range(22), "speaker": [*"abcdefghijk"] * 2})
    split = resolve_folds("speakers:5", manifest)
    assert split == speaker_kfold(manifest[::-1][:15], 5) and split.name == "speakers:5"
    assert not split.warning and split.hash == "f6b0d6529130"
    tested = [name for fold in split.folds for name in fold.test]
    assert sorted(tested) == list("abcdefghijk")
    for k, fold in enumerate(split.folds):
        assert fold.validation == split.folds[(k + 1) % 5].test
        assert len(fold.test) in (2, 3) and frozenset.union(*fold) == set(tested)


@pytest.mark.parametrize("name", ["speakers:2", "speakers:12", "speakers:x", "speakers:-3"])
def test_numbers_of_speaker_folds_that_cannot_be(name: str) -> None:
    manifest = pd.DataFrame({"sample_id": range(11), "speaker": [*"abcdefghijk"]})
    with pytest.raises(CorpusError, match="from 3 to 11, the number of speakers"):
        resolve_folds(name, manifest)
    for few in (manifest.drop(columns="speaker"), manifest.assign(speaker=""), manifest[:2]):
        with pytest.raises(CorpusError, match="three subsets need three"):
            resolve_folds("speakers:3", few)


def test_the_random_split_has_a_name() -> None:
    manifest = pd.DataFrame({"sample_id": list("abcdefghij")})
    assert resolve_folds("random_80_20", manifest) == random_folds("abcdefghij")


def test_subsets_are_rows_of_the_manifest() -> None:
    manifest = pd.DataFrame({"sample_id": list("abcd"), "speaker": ["04", "05", "24", "99"]})
    rows = load_folds("ravdess_released").subsets(manifest, 0)
    assert {subset: found.tolist() for subset, found in rows.items()} == {
        "train": [2],
        "validation": [1],
        "test": [0],
    }


def test_subsets_of_another_corpus_are_refused() -> None:
    manifest = pd.DataFrame({"sample_id": ["a"], "speaker": ["1001"]})
    with pytest.raises(CorpusError, match="none of the manifest's speakers"):
        load_folds("ravdess_6fold").subsets(manifest, 0)
    with pytest.raises(CorpusError, match="no fold 6; it has 6"):
        load_folds("ravdess_6fold").subsets(manifest, 6)


def test_split_column_reads_what_users_write() -> None:
    manifest = pd.DataFrame({"sample_id": list("abcd"), "s": ["Train", "val", "test", None]})
    split = split_column(manifest, "s").folds[0]
    assert [sorted(part) for part in split] == [["a"], ["b"], ["c"]]
    with pytest.raises(CorpusError, match="unknown subset 'tset'"):
        split_column(manifest.replace("test", "tset"), "s")


def test_a_folds_file_of_ones_own(tmp_path: Path) -> None:
    folds = [{"train": ["a"], "validation": ["b"], "test": ["c"]}]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"unit": "speaker", "splits": folds}))
    split = load_folds(path)
    assert split.name == "mine" and split.folds[0].test == {"c"}
    path.write_text(split.to_json())
    assert load_folds(path) == split


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "not a fold file"),
        ('{"unit": "speaker", "splits": []}', "not a fold file"),
        ('{"unit": "clip", "splits": [{"train":[],"validation":[],"test":[]}]}', "not a fold file"),
        (
            '{"unit": "take", "splits": [{"train": ["a"], "validation": ["b"], "test": ["a"]}]}',
            "a is in train and in test",
        ),
    ],
)
def test_a_bad_folds_file_is_one_clear_line(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match=found):
        load_folds(path)


def test_an_edited_folds_file_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "ravdess_6fold.json"
    text = (FOLDS_DIR / "ravdess_6fold.json").read_text("utf-8")
    path.write_text(text.replace('"test": ["01", "02", "03", "04"]', '"test": ["01", "02", "03"]'))
    with pytest.raises(CorpusError, match="the file gives 3b8556f8e2d7"):
        load_folds(path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="ravdess_luna_5fold"):
        load_folds("luna")
    assert SUBSETS == ("train", "validation", "test")
