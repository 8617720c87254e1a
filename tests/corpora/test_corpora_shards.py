"""Shards and trunk features: the same samples in another form."""

import io
import json
import resource
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora_made import AUDIO, FEATURES

from avtca.clipspec import ClipSpec
from avtca.corpora import (
    CrossValidationSplit,
    Fold,
    PreparedCorpus,
    RawSample,
    cache_trunk_features,
    load_ravdess_features,
    prepare,
    read_corpus,
    read_shards,
    write_shards,
)
from avtca.errors import ClipSpecMismatch, CorpusError


@pytest.fixture(scope="module")
def crops(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """Two real clips with faces and one audio alone."""
    folder = tmp_path_factory.mktemp("crops")
    clips = [corpora / "cremad" / f"1001_DFA_{code}_XX.flv" for code in ("ANG", "SAD")]
    clips.append(corpora / "emodb" / "03a01Fa.opus")
    lines = [
        f"{clip},{label},p{k}" for k, (clip, label) in enumerate(zip(clips, "xyz", strict=True))
    ]
    (folder / "c.csv").write_text("\n".join(["path,label,speaker", *lines]) + "\n")
    spec = ClipSpec(crop_px=32, sample_rate=8000)
    prepare(read_corpus("folder", folder / "c.csv", spec), folder / "out", spec)
    return PreparedCorpus.open(folder / "out")


def same(a: RawSample, b: RawSample) -> bool:
    pairs = [(a.steps, b.steps), (a.video, b.video), (a.wave, b.wave)]
    pairs += [(a.audio, b.audio), (a.audio_times, b.audio_times)]
    return a.duration_s == b.duration_s and all(
        (x is None) == (y is None) and (x is None or (x.dtype == y.dtype and np.array_equal(x, y)))
        for x, y in pairs
    )


def test_shards_give_back_every_sample(crops: PreparedCorpus, tmp_path: Path) -> None:
    index = write_shards(crops, tmp_path / "s")
    read = {row["sample_id"]: (row, raw) for row, raw in read_shards(tmp_path / "s", crops.spec)}
    assert sorted(read) == crops.samples
    for sample, (row, raw) in read.items():
        assert same(raw, crops.raw(sample))
        assert row["label"] == crops.manifest.set_index("sample_id").loc[sample, "label"]
    assert index["spec_hash"] == crops.spec.hash
    write_shards(crops, tmp_path / "again")
    for path in (tmp_path / "s").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_webdataset_reads_them(crops: PreparedCorpus, tmp_path: Path) -> None:
    import webdataset

    index = write_shards(crops, tmp_path / "s")
    urls = [str(tmp_path / "s" / entry["file"]) for entry in index["shards"]]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [sample["json"]["sample_id"] for sample in samples] == crops.samples
    for sample in samples:
        raw = crops.raw(sample["json"]["sample_id"])
        pictures = sorted(key for key in sample if key.endswith(".jpg"))
        assert sample["json"]["steps"] == raw.steps.tolist()
        assert len(pictures) == len(raw.steps)
        for key, crop in zip(pictures, raw.video, strict=True):
            np.testing.assert_array_equal(sample[key], crop)


def test_small_shards_and_features(ravdess_some: Path, tmp_path: Path) -> None:
    corpus = load_ravdess_features(ravdess_some, FEATURES, tmp_path / "c")
    index = write_shards(corpus, tmp_path / "s", max_bytes=200_000)
    assert len(index["shards"]) > 2
    for entry in index["shards"]:
        assert entry["bytes"] <= 200_000 or entry["samples"] == 1
        assert (tmp_path / "s" / entry["file"]).stat().st_size == entry["bytes"]
    assert sum(entry["samples"] for entry in index["shards"]) == len(corpus)
    for row, raw in read_shards(tmp_path / "s"):
        assert same(raw, corpus.raw(row["sample_id"]))


def test_shards_by_side(crops: PreparedCorpus, tmp_path: Path) -> None:
    split = Fold(frozenset({"p0"}), frozenset({"p1"}), frozenset({"p2"}))
    folds = CrossValidationSplit("mine", "folder", "speaker", (split,))
    index = write_shards(crops, tmp_path / "s", folds=folds)
    files = [entry["file"] for entry in index["shards"]]
    assert files == ["train-000000.tar", "validation-000000.tar", "test-000000.tar"]
    assert index["folds"] == {"name": "mine", "hash": folds.hash}
    with tarfile.open(tmp_path / "s" / files[0]) as tar:
        row = json.load(io.BytesIO(tar.extractfile(tar.getnames()[0]).read()))  # type: ignore[union-attr]
    assert row["speaker"] == "p0"


def test_shards_that_do_not_fit_or_are_broken(crops: PreparedCorpus, tmp_path: Path) -> None:
    write_shards(crops, tmp_path / "s")
    with pytest.raises(CorpusError, match="shards are there already"):
        write_shards(crops, tmp_path / "s")
    with pytest.raises(ClipSpecMismatch, match="crop_px: 32 against 64"):
        list(read_shards(tmp_path / "s", replace(crops.spec, crop_px=64)))
    tar = tmp_path / "s" / "folder-000000.tar"
    tar.write_bytes(tar.read_bytes()[:2000])
    with pytest.raises(CorpusError, match="write them again"):
        list(read_shards(tmp_path / "s"))
    with pytest.raises(CorpusError, match="broken or missing"):
        list(read_shards(tmp_path / "none"))


def small_trunk(seed: int):
    import torch

    torch.manual_seed(seed)

    class Trunk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, stride=2)
            self.norm = torch.nn.BatchNorm2d(8)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return self.norm(self.conv(x)).mean(dim=(2, 3))

    return Trunk()


def test_trunk_features_are_the_trunks_and_run_once(crops: PreparedCorpus) -> None:
    import torch

    trunk = small_trunk(0).train()
    features = cache_trunk_features(crops, trunk, batch=4)
    assert trunk.training and trunk.calls > 0
    assert len(features) == 3 and features.width == 8
    trunk.eval()
    for sample in crops.samples:
        raw = crops.raw(sample)
        assert features[sample].shape == (len(raw.steps), 8)
        if len(raw.steps):
            x = torch.from_numpy(raw.video.astype(np.float32) / 255).permute(0, 3, 1, 2)
            with torch.inference_mode():
                np.testing.assert_allclose(features[sample], trunk(x).numpy(), atol=1e-5)
    calls = trunk.calls
    again = cache_trunk_features(crops, trunk, batch=4)
    assert trunk.calls == calls
    np.testing.assert_array_equal(again[crops.samples[0]], features[crops.samples[0]])


def test_other_weights_have_their_own_features(crops: PreparedCorpus) -> None:
    one, two = (cache_trunk_features(crops, small_trunk(seed)) for seed in (1, 2))
    assert one.folder != two.folder
    assert not np.array_equal(one[crops.samples[0]], two[crops.samples[0]])
    part = next(one.folder.glob("*.safetensors"))
    whole = part.read_bytes()
    part.write_bytes(whole[:-5])
    trunk = small_trunk(1)
    mended = cache_trunk_features(crops, trunk)
    assert trunk.calls and part.read_bytes() == whole
    np.testing.assert_array_equal(mended[crops.samples[0]], one[crops.samples[0]])


def test_features_have_no_trunk(wavs: Path, tmp_path: Path, ravdess_some: Path) -> None:
    corpus = load_ravdess_features(ravdess_some, FEATURES, tmp_path / "c")
    with pytest.raises(CorpusError, match="it holds features, not crops"):
        cache_trunk_features(corpus, small_trunk(0))
    prepare(read_corpus("folder", wavs, AUDIO), tmp_path / "s", AUDIO)
    empty = cache_trunk_features(PreparedCorpus.open(tmp_path / "s"), small_trunk(0))
    assert all(len(empty[sample]) == 0 for sample in PreparedCorpus.open(tmp_path / "s").samples)


def test_a_full_disk_leaves_no_half_tar(crops: PreparedCorpus, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(CorpusError, match="make room"):
            write_shards(crops, tmp_path / "s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "s").iterdir())
    assert write_shards(crops, tmp_path / "s")["shards"][0]["samples"] == 3
