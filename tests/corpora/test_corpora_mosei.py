"""CMU-MOSEI: computational sequences in the SDK's structure, with their traps; raw videos."""

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, audit, build_cache, index_corpus, load_folds
from avtca.corpora.mosei import CsdSeries
from avtca.data.dataset import from_corpus
from avtca.errors import ConfigError, CorpusError

SPEC = ClipSpec(
    window_s=2.0,
    video_steps=20,
    video="features",
    video_features="facet42",
    video_dim=3,
    sample_rate=16_000,
    audio="features",
    audio_dim=4,
    hop=160,
)
TRAIN, VALID, TEST = "hh04W3xXa5s", "188343", "7l3BNtSE0xc"
SEGMENTS = {
    TRAIN: [
        (1.0, 3.0, [1.5, 2.0, 0, 0, 0, 0.67, 0]),
        (3.0, 2.0, [0, 0, 0, 0, 0, 0, 0]),
        (0.0, 1.0, [-3.0, 0, 3.0, 0, 0, 0, 0]),
    ],
    VALID: [(0.0, 1.0, [0, 0, 0, 0, 0, 0, 0])],
    TEST: [(0.5, 1.5, [-0.5, 0, 0, 1, 1, 0, 0]), (2, 3, [np.nan] * 7)],
    "nowhere0000": [(0.0, 1.0, [1, 1, 0, 0, 0, 0, 0])],
}


def write_csd(path: Path, root: str, data: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """A computational sequence as the SDK writes it."""
    with h5py.File(path, "w") as file:
        for video, (intervals, features) in data.items():
            entry = file.create_group(f"{root}/data/{video}")
            entry.create_dataset("features", data=features)
            entry.create_dataset("intervals", data=intervals)
        about = file.create_group(f"{root}/metadata")
        about.create_dataset(
            "root name",
            data=np.array([root.encode()], dtype=object),
            dtype=h5py.special_dtype(vlen=str),
        )


def ticks(rate: float, seconds: float, offset: float = 0.0) -> np.ndarray:
    start = np.arange(int(seconds * rate)) / rate + offset
    return np.stack([start, start + 1 / rate], axis=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "mosei"
    folder.mkdir()
    labels = {
        video: (np.array([s[:2] for s in segments]), np.array([s[2] for s in segments], np.float32))
        for video, segments in SEGMENTS.items()
    }
    write_csd(folder / "CMU_MOSEI_Labels.csd", "All Labels", labels)
    rng = np.random.default_rng(0)
    audio = {}
    for video in (TRAIN, TEST):  # VALID has no audio features
        intervals = ticks(100, 4)
        values = rng.normal(size=(len(intervals), 4)).astype(np.float32)
        values[:, 0] = intervals.mean(axis=1)
        audio[video] = (intervals, values)
    audio[TRAIN][1][150, 1] = -np.inf
    audio[TRAIN][1][151, 2] = np.nan
    audio[TRAIN][1][152] = np.nan
    audio[TRAIN][1][153, 3] = 3.4e38
    audio[TRAIN] = (audio[TRAIN][0], audio[TRAIN][1][:-7])  # fewer rows than intervals
    write_csd(folder / "CMU_MOSEI_COVAREP.csd", "COVAREP", audio)
    facet = {}
    for video in (TRAIN, VALID):  # TEST has no video features
        intervals = ticks(30, 4, offset=0.0123)  # does not line up with 100 Hz
        values = np.tile(intervals.mean(axis=1, keepdims=True), 3).astype(np.float32) + 1
        values[45:60] = 0  # no face found
        order = rng.permutation(len(intervals))  # not in the order of time
        facet[video] = (intervals[order], values[order])
    write_csd(folder / "CMU_MOSEI_VisualFacet42.csd", "FACET 4.2", facet)
    return folder


@pytest.fixture
def prepared(root: Path, tmp_path: Path) -> PreparedCorpus:
    index = index_corpus("mosei", root, SPEC)
    assert dict(index.skipped) == {
        f"{TRAIN}[1]": "its interval is invalid",
        f"{TEST}[1]": "its labels are not seven numbers",
        "nowhere0000[0]": "neither media nor features of its video",
    }
    build_cache(index, tmp_path / "out", SPEC)
    return PreparedCorpus.open(tmp_path / "out", SPEC)


def test_labels_of_every_kind(prepared: PreparedCorpus) -> None:
    manifest = prepared.manifest.set_index("sample_id")
    assert sorted(manifest.index) == sorted(
        [f"{TRAIN}[0]", f"{TRAIN}[2]", f"{VALID}[0]", f"{TEST}[0]"]
    )
    first = manifest.loc[f"{TRAIN}[0]"]
    assert (first["label"], first["sentiment"], first["sentiment7"]) == ("happy", 1.5, "2")
    assert (first["value_happy"], first["multi_disgust"], first["split"]) == (2.0, 1, "train")
    zero = manifest.loc[f"{VALID}[0]"]
    assert (zero["label"], zero["sentiment2"], zero["sentiment2_with_zero"], zero["split"]) == (
        "", "", "nonnegative", "validation"
    )  # fmt: skip
    test = manifest.loc[f"{TEST}[0]"]
    assert (test["sentiment2"], test["sentiment7"], test["split"]) == ("negative", "0", "test")
    row = prepared.samples.index(f"{TEST}[0]")
    assert prepared.targets("multi")[row].tolist() == [0, 0, 1, 1, 0, 0]
    row = prepared.samples.index(f"{TRAIN}[0]")
    np.testing.assert_allclose(prepared.targets("value")[row], [2, 0, 0, 0, 0.67, 0], rtol=1e-6)
    assert prepared.target_names("sentiment") == ("sentiment",)
    samples = from_corpus(prepared, target="sentiment")
    assert dict(zip(samples.sample_ids, samples.targets[:, 0].tolist(), strict=True)) == {
        f"{TRAIN}[0]": 1.5, f"{TRAIN}[2]": -3, f"{VALID}[0]": 0, f"{TEST}[0]": -0.5
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"target 'value': no loss is made .* choose multi"):
        from_corpus(prepared, target="value")
    assert prepared.target_names("sentiment7") == ("-3", "-2", "-1", "0", "1", "2", "3")
    assert prepared.targets("sentiment7")[row].argmax() == 5


def test_streams_are_aligned_by_their_own_times(prepared: PreparedCorpus) -> None:
    sample = f"{TRAIN}[0]"  # 1 .. 3 s
    raw = prepared.raw(sample)
    assert raw.duration_s == pytest.approx(2.0)
    seconds = raw.video[:, 0] - 1  # the values say when they were
    assert np.all(np.diff(seconds) > 0)
    np.testing.assert_array_equal(raw.steps, np.floor((seconds - 1) * 10 + 1e-4))
    assert raw.audio is not None and raw.audio_times is not None
    np.testing.assert_allclose(raw.audio[0], raw.audio_times + 1, atol=2e-3)
    window = prepared.windows(sample)
    hop_s = SPEC.hop / SPEC.sample_rate
    real = window.audio_mask[0]
    centres = np.arange(SPEC.audio_steps) * hop_s + 1
    np.testing.assert_allclose(window.audio[0, 0, real], centres[real], atol=hop_s / 2 + 1e-3)


def test_faces_that_were_not_found_are_masked(prepared: PreparedCorpus) -> None:
    window = prepared.windows(f"{TRAIN}[0]")
    # middles of rows 45 .. 59 are 1.53 .. 1.996 s: steps 5 .. 9 of the segment from 1 s
    assert window.video_mask[0].tolist() == [True] * 5 + [False] * 5 + [True] * 10
    assert 0.7 < prepared.manifest.set_index("sample_id").loc[f"{TRAIN}[0]", "face_coverage"] < 0.9


def test_values_that_are_not_finite(prepared: PreparedCorpus) -> None:
    raw = prepared.raw(f"{TRAIN}[0]")
    assert raw.audio is not None and raw.audio_times is not None
    assert np.isfinite(raw.audio).all() and np.abs(raw.audio).max() < 100
    at = {round(float(t) * 100 - 0.5): k for k, t in enumerate(raw.audio_times)}
    assert raw.audio[1, at[50]] == 0 and raw.audio[2, at[51]] == 0 and raw.audio[3, at[53]] == 0
    assert raw.audio[2, at[50]] != 0
    assert 52 not in at  # nothing of that row was finite


def test_segments_without_one_modality_keep_the_other(prepared: PreparedCorpus) -> None:
    silent = prepared.windows(f"{VALID}[0]")
    assert silent.video_mask.any() and not silent.audio_mask.any()
    blind = prepared.windows(f"{TEST}[0]")
    assert blind.audio_mask.any() and not blind.video_mask.any()
    counts = prepared.meta["counts"]
    assert counts == {"samples": 4, "failed": 0, "without_face": 1, "without_voice": 1}


def test_samples_of_one_file_of_sequences_are_no_copies(prepared: PreparedCorpus) -> None:
    report = audit(prepared.manifest, load_folds("mosei_official"))
    assert (report.leaks, report.unassigned) == ((), 0)
    assert "videos were checked instead" in report.caveat
    assert prepared.manifest["source_sha256"].nunique() == 4


def test_intervals_that_start_anywhere(root: Path) -> None:
    series = CsdSeries(root / "CMU_MOSEI_COVAREP.csd", TRAIN, 3.9, 9.0, drop_zeros=False)
    times, values = series.load()
    assert len(times) == len(values) == 3  # 400 intervals, 393 rows: the shorter counts
    assert times[0] == pytest.approx(0.005)


def test_raw_videos_cut_by_segment_times(root: Path, corpora: Path, tmp_path: Path) -> None:
    videos = root / "Raw" / "Videos" / "Full" / "Combined"
    videos.mkdir(parents=True)
    shutil.copy(corpora / "cremad" / "1001_DFA_ANG_XX.flv", videos / f"{TRAIN}.flv")
    spec = ClipSpec(crop_px=32, sample_rate=8000)
    index = index_corpus("mosei", root, spec)
    assert [source.sample_id for source in index.sources] == [f"{TRAIN}[0]", f"{TRAIN}[2]"]
    build_cache(index, tmp_path / "raw", spec)
    corpus = PreparedCorpus.open(tmp_path / "raw")
    assert (corpus.manifest["face_coverage"] > 0.8).all()
    cut = corpus.raw(f"{TRAIN}[2]")
    assert cut.duration_s == pytest.approx(1.0) and len(cut.wave) == 8000
    assert cut.steps.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "spec", "found"),
    [
        ("CMU_MOSEI_Labels.csd", SPEC, "no labels"),
        ("CMU_MOSEI_COVAREP.csd", SPEC, "CMU_MOSEI_COVAREP.csd is missing"),
        ("", replace(SPEC, video_features="facet41"), "choose facet42, openface2"),
        ("", ClipSpec(), "no segment has media or features"),
    ],
)
def test_what_a_download_can_lack(root: Path, change: str, spec: ClipSpec, found: str) -> None:
    if change:
        (root / change).unlink()
    with pytest.raises(CorpusError, match=found):
        index_corpus("mosei", root, spec)


def test_files_that_are_no_sequences(root: Path) -> None:
    (root / "CMU_MOSEI_COVAREP.csd").write_bytes(b"<html>404</html>")
    with pytest.raises(CorpusError, match=r"CMU_MOSEI_COVAREP.csd is not HDF5"):
        index_corpus("mosei", root, SPEC)


def test_a_width_that_is_not_the_specs(root: Path, tmp_path: Path) -> None:
    spec = replace(SPEC, audio_dim=74)
    index = index_corpus("mosei", root, spec)
    summary = build_cache(index, tmp_path / "out", spec)
    assert summary.prepared == 1  # the one without audio features
    assert "its audio features have 4 values, the ClipSpec has 74" in summary.failures[0][2]
