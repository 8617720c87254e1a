"""CREMA-D: the six real clips with the corpus's own tables, and what a download can lack."""

import shutil
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpora_made import write_wav

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, RawSample, build_cache, index_corpus, load_folds
from avtca.corpora.build_cache import BuildSummary
from avtca.corpora.cremad import not_a_sentence
from avtca.errors import CorpusError

SPEC = ClipSpec(crop_px=64)


@pytest.fixture(scope="module")
def prepared(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    out = tmp_path_factory.mktemp("cremad") / "out"
    build_cache(index_corpus("cremad", corpora / "cremad", SPEC), out, SPEC)
    return PreparedCorpus.open(out, SPEC)


@pytest.mark.slow
def test_the_six_real_clips(prepared: PreparedCorpus) -> None:
    manifest = prepared.manifest
    assert manifest["label"].tolist() == ["angry", "disgust", "fear", "happy", "neutral", "sad"]
    assert (manifest["face_coverage"] > 0.9).all()
    assert (manifest["voice_coverage"] > 0.2).all()
    assert manifest["duration_s"].between(1.8, 2.6).all()
    row = manifest.iloc[0]
    assert (row["sex"], row["age"], row["race"]) == ("male", 51, "Caucasian")
    raw = prepared.raw("1001_DFA_ANG_XX")
    assert raw.video.shape[1:] == (64, 64, 3)
    assert len(raw.wave) == pytest.approx(
        raw.duration_s * SPEC.sample_rate, abs=SPEC.sample_rate / 5
    )


def test_the_raters_votes(prepared: PreparedCorpus, corpora: Path) -> None:
    table = pd.read_csv(corpora / "cremad" / "tabulatedVotes.csv")
    for digit, rated in ((1, "voice"), (2, "face"), (3, "both")):
        soft = prepared.targets(rated)
        np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
        for sample, shares in zip(prepared.samples, soft, strict=True):
            row = table[
                (table["fileName"] == sample) & (table.iloc[:, 0] // 100_000 == digit)
            ].iloc[0]
            votes = row[list("ADFHNS")].to_numpy(float)
            np.testing.assert_allclose(shares, votes / row["numResponses"], rtol=1e-6)
    manifest = prepared.manifest.set_index("sample_id")
    assert manifest.loc["1001_DFA_SAD_XX", "voted_both"] == "neutral"
    assert prepared.targets("voted_both").argmax(axis=1)[5] == prepared.labels.index("neutral")
    assert prepared.targets("label").argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(CorpusError, match="choose one of label, voice, face, both"):
        prepared.targets("votes")


def test_level_votes_have_no_majority(corpora: Path) -> None:
    from avtca.corpora.cremad import _votes

    votes = _votes(corpora / "cremad" / "tabulatedVotes.csv", "test")
    summary = pd.read_csv(corpora / "cremad" / "summaryTable.csv").set_index("FileName")
    assert len(votes) == 7442
    words = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
    for sample in list(votes)[::50]:
        published = summary.loc[sample, "MultiModalVote"]
        assert votes[sample]["voted_both"] == words.get(published, "")


def test_every_clip_of_the_corpuss_own_list_is_read(corpora: Path, tmp_path: Path) -> None:
    """All 7,442 names, with demographics and all votes, and their actors in the folds."""
    names = pd.read_csv(corpora / "cremad" / "SentenceFilenames.csv")["Filename"].tolist()
    assert len(names) == 7442
    for name in names:
        (tmp_path / f"{name}.flv").touch()
    for table in ("VideoDemographics.csv", "tabulatedVotes.csv"):
        (tmp_path / table).symlink_to(corpora / "cremad" / table)
    index = index_corpus("cremad", tmp_path, SPEC)
    assert not index.skipped and not index.notes
    assert {source.sample_id for source in index.sources} == {f"{n}X"[:15] for n in names}
    assert all(source.fields["sex"] for source in index.sources)
    assert all(source.fields["raters_both"] > 3 for source in index.sources)
    speakers = {source.speaker for source in index.sources}
    assert speakers == set().union(*load_folds("cremad_5fold").folds[0])


def test_audio_alone_and_pairs(corpora: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "AudioWAV" / "1040_ITH_SAD_X.wav")
    write_wav(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    (tmp_path / "VideoFlash").mkdir()
    shutil.copy(corpora / "cremad" / "1001_DFA_ANG_XX.flv", tmp_path / "VideoFlash")
    index = index_corpus("cremad", tmp_path, SPEC)
    pair, alone = index.sources
    assert (alone.sample_id, alone.video, alone.label) == ("1040_ITH_SAD_XX", None, "sad")
    assert pair.video is not None and pair.video.suffix == ".flv"
    assert pair.audio is not None and pair.audio.suffix == ".wav"
    assert any("VideoDemographics" in note for note in index.notes)


def test_pointers_of_git_lfs_are_named(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (tmp_path / "1001_DFA_ANG_XX.flv").write_text(pointer)
    with pytest.raises(CorpusError, match=r"1 git-lfs pointers .* run git lfs pull"):
        index_corpus("cremad", tmp_path, SPEC)


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    write_wav(tmp_path / "1001_DFA_ANG_XX.wav")
    (tmp_path / "VideoDemographics.csv").write_text("ActorID,Age\n1001,51\n")
    with pytest.raises(CorpusError, match=r"VideoDemographics.csv has no column Ethnicity"):
        index_corpus("cremad", tmp_path, SPEC)


def write_silence(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(16_000 * seconds)))
    return path


def prepare_all(root: Path, out: Path) -> tuple[BuildSummary, PreparedCorpus]:
    summary = build_cache(index_corpus("cremad", root, SPEC), out, SPEC, lossless=True)
    return summary, PreparedCorpus.open(out, SPEC)


@pytest.mark.slow
def test_where_the_wav_holds_nothing_the_pictures_own_audio_is_read(
    corpora: Path, tmp_path: Path
) -> None:
    """No media at all, an empty file, zeros alone, no samples."""
    root = tmp_path / "CREMA-D"
    for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
        clip = root / "VideoFlash" / f"1001_DFA_{code}_XX.flv"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.symlink_to(corpora / "cremad" / clip.name)
    heard = root / "AudioWAV"
    heard.mkdir()
    (heard / "1001_DFA_ANG_XX.wav").write_bytes(b"no RIFF header" * 100)
    (heard / "1001_DFA_DIS_XX.wav").touch()
    write_silence(heard / "1001_DFA_FEA_XX.wav", 0.1)
    write_silence(heard / "1001_DFA_HAP_XX.wav", 0)
    write_wav(heard / "1001_DFA_NEU_XX.wav", 2.0)
    summary, corpus = prepare_all(root, tmp_path / "out")
    assert (summary.prepared, summary.failures) == (6, ())
    _, alone = prepare_all(root / "VideoFlash", tmp_path / "alone")
    manifest = corpus.manifest.set_index("sample_id")
    for code in ("ANG", "DIS", "FEA", "HAP"):
        sample = f"1001_DFA_{code}_XX"
        np.testing.assert_array_equal(corpus.raw(sample).wave, alone.raw(sample).wave)
        assert manifest.loc[sample, "audio_source"] == ""
        assert f"{sample}.wav: " in manifest.loc[sample, "warnings"]
        assert f"the audio of {sample}.flv is used" in manifest.loc[sample, "warnings"]
    kept = manifest.loc["1001_DFA_NEU_XX"]
    assert kept["audio_source"] == "AudioWAV/1001_DFA_NEU_XX.wav"
    assert "is used" not in kept["warnings"] + manifest.loc["1001_DFA_SAD_XX", "warnings"]


def test_clips_that_are_no_sentence_fail_by_name_and_reason(tmp_path: Path) -> None:
    root = tmp_path / "CREMA-D"
    write_wav(root / "1001_DFA_ANG_XX.wav", 2.0)
    write_wav(root / "1064_IEO_DIS_MD.wav", 61.0)
    write_wav(root / "1064_TIE_SAD_XX.wav", 0.1)
    write_silence(root / "1076_MTI_SAD_XX.wav", 0.7)
    summary, corpus = prepare_all(root, tmp_path / "out")
    assert corpus.samples == ["1001_DFA_ANG_XX"]
    said = {sample: why for sample, _, why in summary.failures}
    assert "it lasts 61.00 s, a clip of one sentence 0.5 to 15 s" in said["1064_IEO_DIS_MD"]
    assert "it lasts 0.10 s" in said["1064_TIE_SAD_XX"]
    assert "neither a face nor audio" in said["1076_MTI_SAD_XX"]
    listed = (tmp_path / "out" / "failures.csv").read_text()
    assert all(f"use {sample}: " in listed for sample in said)


def test_a_face_or_a_audio_is_enough() -> None:
    nothing = RawSample(np.zeros(0, np.int64), np.zeros((0, 8, 8), np.uint8), np.zeros(9), 2.0)
    assert not_a_sentence(nothing)
    assert not not_a_sentence(replace(nothing, wave=np.full(9, 0.01, np.float32)))
    seen = replace(nothing, steps=np.zeros(1, np.int64), video=np.zeros((1, 8, 8), np.uint8))
    assert not not_a_sentence(seen)
