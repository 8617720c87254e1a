"""Foreign files: every tensor accounted for, and the authors' logits from our boxes."""

import os
import pickle
from pathlib import Path

import authors
import numpy as np
import pytest
import real_samples
import torch

from avtca.errors import CheckpointError
from avtca.model.checkpoint import load_checkpoint, save_checkpoint
from avtca.model.convert import EFFICIENTFACE, Conversion, convert

PARENTS = {
    "late_transformer": "lt",
    "intermediate_attention": "ia",
    "intermediate_transformer": "it",
}


def saved(path: Path, state: object, *, legacy: bool = False) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    return path


def real_clip(ravdess: Path) -> tuple[torch.Tensor, ...]:
    batch, _ = real_samples.pixel_samples(ravdess, 1, real_samples.pixels(224, 3))
    return torch.from_numpy(batch.video), torch.from_numpy(batch.audio)


def check_audio(result: Conversion, state: dict[str, torch.Tensor]) -> None:
    assert set(result.converted) | set(result.unused) == set(state)
    assert not set(result.converted) & set(result.unused)
    assert all(result.unused.values())


def test_released_gives_the_authors_logits(ravdess: Path, tmp_path: Path) -> None:
    state = authors.network("it", shared=True)
    wrapped = {f"module.{name}": value for name, value in state.items()}
    run = {"epoch": 3, "arch": "multimodalcnn", "state_dict": wrapped, "best_prec1": 71.2}
    result = convert(saved(tmp_path / "RAVDESS_best0.pth", run), "released")
    check_audio(result, state)
    assert not result.untrained
    assert {name.split(".classifier")[0] for name in result.unused} == {
        "audio_model",
        "visual_model",
    }
    video, audio = real_clip(ravdess)
    with torch.inference_mode():
        ours = result.model(video, audio).logits
        theirs = authors.forward(state, "it", audio, video, heads=8)
    assert ours.std() > 0.05
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("variant", PARENTS)
def test_parents_give_the_authors_logits(
    variant: str, heads: int, ravdess: Path, tmp_path: Path
) -> None:
    fusion = PARENTS[variant]
    state = authors.network(fusion, shared=False, seed=1)
    path = saved(tmp_path / "model.pth", state)
    result = convert(path, variant, heads=None if heads == 1 else heads)
    check_audio(result, state)
    assert not result.untrained
    video, audio = real_clip(ravdess)
    video = video[:, :1]
    with torch.inference_mode():
        ours = result.model(video, audio).logits
        theirs = authors.forward(state, fusion, audio, video, heads=heads)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_avtcas_own_late_fusion_has_eight_heads(tmp_path: Path) -> None:
    """Its code creates finalAttention for every fusion, and overwrites the heads with 8."""
    state = authors.network("lt", shared=True)
    result = convert(saved(tmp_path / "m.pth", state), "late_transformer")
    assert result.model.config.heads == 8
    assert "finalAttention.in_proj_weight" in result.unused


def test_efficientface_fills_the_released_trunk(tmp_path: Path) -> None:
    state = authors.efficientface(torch.Generator().manual_seed(0))
    assert sum(v.numel() for k, v in state.items() if "running" not in k and "num_" not in k) in (
        range(1_275_000, 1_285_000)
    )  # the published 1.28 M
    wrapped = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 10}
    result = convert(saved(tmp_path / "EfficientFace.pth.tar", wrapped), "released")
    check_audio(result, state)
    assert result.kind == EFFICIENTFACE and set(result.unused) == {"fc.weight", "fc.bias"}
    assert not [name for name in result.untrained if "trunk" in name]
    crops = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        ours = result.model.video_frontend.trunk(crops)
        torch.testing.assert_close(ours, authors.trunk(state, crops), atol=1e-4, rtol=1e-4)


def test_efficientface_fills_the_figure_as_far_as_it_goes(tmp_path: Path) -> None:
    state = authors.efficientface(torch.Generator().manual_seed(0))
    path = saved(tmp_path / "e.pth.tar", state, legacy=True)
    result = convert(path, "figure")
    check_audio(result, state)
    assert "stage3.7.branch2.5.weight" in result.converted and "conv1.0.weight" in result.converted
    assert "stage4.0.branch1.0.weight" in result.unused  # the figure has two stages
    assert "local.conv1_1.weight" in result.unused  # on the stem's 29 channels
    with pytest.raises(CheckpointError, match="does not read pixels"):
        convert(path, "audio_only")


class RecorderMeter1:
    """As EfficientFace's training script saved it, with numpy inside."""

    def __init__(self) -> None:
        self.losses = np.zeros((2, 2), np.float32)


def test_objects_of_the_training_script_are_read_as_shells(tmp_path: Path) -> None:
    state = authors.efficientface(torch.Generator().manual_seed(0))
    RecorderMeter1.__module__ = "__main__"
    main = __import__("__main__")
    main.RecorderMeter1 = RecorderMeter1
    try:
        run = {"state_dict": state, "recorder": RecorderMeter1(), "best_acc": np.float32(0.6)}
        path = saved(tmp_path / "e.pth.tar", run)
    finally:
        del main.RecorderMeter1
    assert not convert(path, "released").model.training


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploded",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_never_runs(
    legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = {"state_dict": {"a": torch.zeros(2)}, "payload": Bomb()}
    path = saved(tmp_path / "bad.pth", state, legacy=legacy)
    with pytest.raises(CheckpointError):
        convert(path, "released")
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        convert(plain, "released")
    assert not (tmp_path / "exploded").exists()


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    state = authors.network("it", shared=True)
    path = saved(tmp_path / "m.pth", state)
    with pytest.raises(CheckpointError, match="holds released; give --to released"):
        convert(path, "intermediate_transformer")
    with pytest.raises(CheckpointError, match="3 labels for 8 outputs"):
        convert(path, "released", labels=("a", "b", "c"))
    del state["av1.attn.q.weight"]
    with pytest.raises(CheckpointError, match=r"nothing in the file fits transformer\.audio"):
        convert(saved(path, state), "released")
    state = authors.network("it", shared=True) | {"av1.attn.kv.weight": torch.zeros(5, 64)}
    with pytest.raises(CheckpointError, match=r"av1\.attn\.kv\.weight: shape \(5, 64\)"):
        convert(saved(path, state), "released")
    with pytest.raises(CheckpointError, match="names of no known network"):
        convert(saved(path, {"a.weight": torch.zeros(2)}), "released")
    with pytest.raises(CheckpointError, match="without tensors"):
        convert(saved(path, [1, 2]), "released")
    for data in (b"", b"not a pickle", path.read_bytes()[:50]):
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            convert(path, "released")
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no such file"):
        convert(tmp_path / "absent.pth", "released")


def test_a_converted_network_is_a_checkpoint(tmp_path: Path) -> None:
    result = convert(saved(tmp_path / "m.pth", authors.network("it", shared=True)), "released")
    save_checkpoint(tmp_path / "ours", result.model, result.clip_spec)
    model, card = load_checkpoint(tmp_path / "ours")
    assert card.labels[:2] == ("neutral", "calm") and card.clip_spec.video_steps == 15
    x = torch.rand(1, 2, 3, 64, 64), torch.randn(1, 10, 156)
    torch.testing.assert_close(model(*x).logits, result.model(*x).logits)
