"""Vectors of a video backbone, computed once and kept beside the cache."""

from pathlib import Path

import numpy as np
import pytest
from corpora_made import AUDIO, FEATURES

from avtca.clipspec import ClipSpec
from avtca.corpora import (
    PreparedCorpus,
    build_cache,
    cache_backbone_features,
    index_corpus,
    load_ravdess_features,
)
from avtca.corpora.backbone_features import weights_hash
from avtca.errors import CorpusError

pytestmark = pytest.mark.slow


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
    build_cache(index_corpus("folder", folder / "c.csv", spec), folder / "out", spec)
    return PreparedCorpus.open(folder / "out")


def small_backbone(seed: int):
    import torch

    torch.manual_seed(seed)

    class Backbone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, stride=2)
            self.norm = torch.nn.BatchNorm2d(8)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return self.norm(self.conv(x)).mean(dim=(2, 3))

    return Backbone()


def test_features_equal_the_backbones_output_and_are_computed_once(crops: PreparedCorpus) -> None:
    import torch

    backbone = small_backbone(0).train()
    features = cache_backbone_features(crops, backbone, batch=4)
    assert backbone.training and backbone.calls > 0
    assert len(features) == 3
    backbone.eval()
    for sample in crops.samples:
        raw = crops.raw(sample)
        assert features[sample].shape == (len(raw.steps), 8)
        if len(raw.steps):
            x = torch.from_numpy(raw.video.astype(np.float32) / 255).permute(0, 3, 1, 2)
            with torch.inference_mode():
                np.testing.assert_allclose(features[sample], backbone(x).numpy(), atol=1e-5)
    calls = backbone.calls
    again = cache_backbone_features(crops, backbone, batch=4)
    assert backbone.calls == calls
    np.testing.assert_array_equal(again[crops.samples[0]], features[crops.samples[0]])


def test_other_weights_have_their_own_features(crops: PreparedCorpus) -> None:
    one, two = (cache_backbone_features(crops, small_backbone(seed)) for seed in (1, 2))
    first, second = (
        crops.path / "trunk" / f"{weights_hash(small_backbone(seed))}-{crops.data_hash}"
        for seed in (1, 2)
    )
    assert first != second and second.is_dir()
    assert not np.array_equal(one[crops.samples[0]], two[crops.samples[0]])
    part = next(first.glob("*.safetensors"))
    whole = part.read_bytes()
    part.write_bytes(whole[:-5])
    backbone = small_backbone(1)
    mended = cache_backbone_features(crops, backbone)
    assert backbone.calls and part.read_bytes() == whole
    np.testing.assert_array_equal(mended[crops.samples[0]], one[crops.samples[0]])


def test_corpora_without_crops_are_refused(wavs: Path, tmp_path: Path, ravdess_some: Path) -> None:
    corpus = load_ravdess_features(ravdess_some, FEATURES, tmp_path / "c")
    with pytest.raises(CorpusError, match="it holds features, not crops"):
        cache_backbone_features(corpus, small_backbone(0))
    build_cache(index_corpus("folder", wavs, AUDIO), tmp_path / "s", AUDIO)
    empty = cache_backbone_features(PreparedCorpus.open(tmp_path / "s"), small_backbone(0))
    assert all(len(empty[sample]) == 0 for sample in PreparedCorpus.open(tmp_path / "s").samples)
