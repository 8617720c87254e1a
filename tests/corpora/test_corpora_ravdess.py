"""RAVDESS: its names, its twins, its audio-only form, its one mp4."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from corpora_made import FEATURES

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus, load_ravdess_features
from avtca.errors import ClipSpecMismatch, CorpusError
from avtca.faces import best_detector
from avtca.labels import FER2013
from avtca.preprocess import audio_window, video_window


@pytest.fixture(scope="module")
def prepared(ravdess_some: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return load_ravdess_features(ravdess_some, FEATURES, tmp_path_factory.mktemp("cache") / "r")


def test_manifest_of_the_audio_only_form(prepared: PreparedCorpus) -> None:
    manifest = prepared.manifest.set_index("sample_id")
    assert len(prepared) == 8
    row = manifest.loc["01-01-05-02-01-01-02"]
    assert (row["label"], row["speaker"], row["sex"]) == ("angry", "02", "female")
    assert (row["intensity"], row["channel"], row["language"]) == ("strong", "speech", "en")
    assert row["source"] == "audio/03-01-05-02-01-01-02.flac"
    assert len(row["source_sha256"]) == 64 and row["spec_hash"] == prepared.spec.hash
    assert manifest["face_coverage"].between(0.45, 0.65).all()
    assert manifest["voice_coverage"].between(0.2, 0.8).all()
    assert prepared.spec.labels == prepared.labels and len(prepared.labels) == 8


def test_the_series_stands_where_its_frame_numbers_say(
    prepared: PreparedCorpus, corpora: Path
) -> None:
    sample = "01-01-05-02-01-01-02"
    with np.load(corpora / "ravdess" / "face_sequences.npz") as source:
        frames, p = source[f"{sample}/frames"], source[f"{sample}/p"]
    raw = prepared.raw(sample)
    np.testing.assert_array_equal(raw.video, p)
    for step, frame in zip(raw.steps, frames, strict=True):
        seconds = (int(frame) - 1) / 29.97
        assert step / 10 <= seconds + 1e-6 < (step + 1) / 10 + 1e-6
    window = prepared.windows(sample)
    step = int(raw.steps[10])
    inside = p[raw.steps == step]
    np.testing.assert_allclose(window.video[0, step], inside.mean(axis=0), atol=1e-6)
    assert window.video_mask[0].sum() == len(np.unique(raw.steps[raw.steps < 36]))
    assert len(FER2013) == window.video.shape[-1]


def test_the_audio_is_the_files_sample_for_sample(prepared: PreparedCorpus, corpora: Path) -> None:
    sample = prepared.samples[0]
    path = corpora / "ravdess" / "audio" / f"03{sample[2:]}.flac"
    with av.open(str(path)) as file:
        whole = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    raw = prepared.raw(sample)
    np.testing.assert_array_equal(raw.wave, whole.astype(np.float32) / 32768)
    assert raw.duration_s == pytest.approx(len(whole) / 16_000)


def test_windows_come_through_preprocess(prepared: PreparedCorpus) -> None:
    raw = prepared.raw(prepared.samples[0])
    window = prepared.windows(prepared.samples[0])
    video, mask = video_window(raw.steps, raw.video, 0, prepared.spec)
    audio, audio_mask = audio_window(raw.wave[: prepared.spec.window_samples], prepared.spec)
    np.testing.assert_array_equal(window.video[0], video)
    np.testing.assert_array_equal(window.video_mask[0], mask)
    np.testing.assert_array_equal(window.audio[0], audio)
    np.testing.assert_array_equal(window.audio_mask[0], audio_mask)


def test_action_units_are_columns_and_features(ravdess_some: Path, tmp_path: Path) -> None:
    spec = replace(FEATURES, video_features="expression7+action_units35", video_dim=42)
    corpus = load_ravdess_features(ravdess_some, spec, tmp_path / "both")
    sample = "01-01-05-02-01-01-02"
    row = corpus.manifest.set_index("sample_id").loc[sample]
    raw = corpus.raw(sample)
    assert raw.video.shape[1] == 42
    assert np.ptp(raw.video[:, 7:], axis=0).max() == 0
    np.testing.assert_allclose(raw.video[0, 7], row["AU01_r"], rtol=1e-6)
    alone = replace(FEATURES, video_features="action_units35", video_dim=35)
    units = load_ravdess_features(ravdess_some, alone, tmp_path / "units")
    assert units.raw(sample).steps.tolist() == list(range(int(np.ceil(raw.duration_s * 10 - 1e-6))))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"video_features": "openface"}, "RAVDESS has no features of that name"),
        ({"video_dim": 8}, "they have 7 values, the ClipSpec has 8"),
    ],
)
def test_features_that_are_not_there(ravdess_some: Path, changes: dict, found: str) -> None:
    with pytest.raises(CorpusError, match=found):
        index_corpus("ravdess", ravdess_some, replace(FEATURES, **changes))


def test_twins_are_one_sample(tmp_path: Path) -> None:
    rest = "01-03-01-01-01-07"
    for name in (
        f"01-{rest}.mp4",
        f"02-{rest}.mp4",
        f"Actor_07/03-{rest}.wav",
        "02-02" + rest[2:] + ".mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / f"01-{rest}.mp4").write_bytes(b"x")
    (tmp_path / "notes.mp4").write_bytes(b"x")
    index = index_corpus("ravdess", tmp_path, ClipSpec())
    samples = {source.sample_id: source for source in index.sources}
    assert sorted(samples) == [f"01-{rest}", "01-02" + rest[2:]]
    both = samples[f"01-{rest}"]
    assert both.video is not None and both.video.name == f"01-{rest}.mp4"
    assert both.audio is not None and both.audio.suffix == ".wav"
    song = samples["01-02" + rest[2:]]
    assert song.audio is None and song.fields["channel"] == "song"
    assert {why for _, why in index.skipped} == {
        "not a RAVDESS name",
        "the same file is there twice",
    }
    assert any("1 of 1440 speech samples" in note for note in index.notes)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([], "no media file"),
        (["Video_Speech_Actor_01.zip"], "only packed files"),
        (["holiday.mp4"], "none of its 1 media files"),
    ],
)
def test_a_folder_without_samples(tmp_path: Path, files: list[str], found: str) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CorpusError, match=found):
        index_corpus("ravdess", tmp_path, ClipSpec())


def test_audio_alone_says_where_the_faces_are(ravdess_some: Path) -> None:
    notes = index_corpus("ravdess", ravdess_some, ClipSpec()).notes
    assert "8 samples have audio only (03-), no face" in notes[-1]
    assert "its face sequences need a ClipSpec with video='features'" in notes[-1]
    assert len(index_corpus("ravdess", ravdess_some, FEATURES).notes) == len(notes) - 1


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder"):
        index_corpus("ravdess", tmp_path / "no", ClipSpec())


def test_the_real_mp4_and_wav_and_another_spec(
    sample_clips: Path, corpora: Path, tmp_path: Path
) -> None:
    spec, rest = ClipSpec(), "01-01-01-01-01-01"
    root = tmp_path / "Actor_01"
    root.mkdir()
    (root / f"01-{rest}.mp4").symlink_to(sample_clips / f"01-{rest}.mp4")
    audio = corpora / "ravdess" / "audio" / f"03-{rest}.flac"
    (root / f"03-{rest}.flac").symlink_to(audio)
    build_cache(index_corpus("ravdess", root, spec), tmp_path / "out", spec)
    corpus = PreparedCorpus.open(tmp_path / "out", spec)
    raw, row = corpus.raw(corpus.samples[0]), corpus.manifest.iloc[0]
    assert raw.video.shape == (14, 224, 224, 3)
    assert row["face_coverage"] == 1.0 and row["detector"] == best_detector().name
    assert (row["source"], row["audio_source"]) == (f"01-{rest}.mp4", f"03-{rest}.flac")
    speech_s = 88.8 * 60  # all 1,440 samples
    assert corpus.meta["bytes"] / row["duration_s"] * speech_s < 300e6
    with pytest.raises(ClipSpecMismatch, match="crop_px: 224 against 112"):
        PreparedCorpus.open(tmp_path / "out", replace(spec, crop_px=112))
    view = corpus.view(replace(spec, audio="logmel", audio_dim=32))
    assert view.windows(view.samples[0]).audio.shape[1] == 32
    with pytest.raises(ClipSpecMismatch, match="sample_rate"):
        corpus.view(replace(spec, sample_rate=16_000))
