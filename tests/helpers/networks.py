"""Small networks with random weights, biases and running statistics."""

import torch
from torch import Tensor, nn

from avtca.model.avtca import AVTCA, build_model
from avtca.model.streams import Stream, zero_masked
from avtca.preprocess import ModelInput


def stir(model: nn.Module, seed: int = 0) -> nn.Module:
    """Evaluation mode, every weight, bias and running statistic away from its start."""
    draw = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=draw) + 0.5)
        elif value.is_floating_point():
            spread = 0.3 if name.endswith(("bias", "running_mean")) else 0.05
            value.add_(spread * torch.randn(value.shape, generator=draw))
    return model.eval()


def small(variant: str, video: str = "features", **sizes: object) -> AVTCA:
    """A stirred network of ``variant`` that reads 5 audio features and 3 labels."""
    given = {"audio_dim": 5, "n_labels": 3, "video": video}
    given |= {"video_dim": 4} if video == "features" else {}
    torch.manual_seed(0)
    model = build_model(variant, **{**given, **sizes})
    stir(model)
    return model


def tensors(batch: ModelInput) -> tuple[Tensor, ...]:
    """In the order of the network's arguments."""
    parts = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    return tuple(torch.from_numpy(part) for part in parts)


def stream(b: int, t: int, d: int, *, real: list[int] | None = None, seed: int = 0) -> Stream:
    draw = torch.Generator().manual_seed(seed)
    mask = torch.ones(b, t, dtype=torch.bool)
    for row, n in enumerate(real or []):
        mask[row, n:] = False
    tokens = zero_masked(torch.randn(b, t, d, generator=draw), mask)
    return Stream(tokens, mask, (torch.arange(t) + 0.5) / t)
