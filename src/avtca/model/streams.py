"""Token streams: tokens with their mask and times, and arithmetic that respects the mask.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``c`` channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Stream(NamedTuple):
    """One modality on its way through the network.

    Attributes:
        tokens: ``(b, t, d)``, zero where masked.
        mask: bool ``(b, t)``, True for real steps.
        times: ``(t,)``, the middle of each step as a fraction 0..1 of the window.
    """

    tokens: Tensor
    mask: Tensor
    times: Tensor

    @property
    def present(self) -> Tensor:
        """Bool ``(b,)``: whether there is a real step."""
        return self.mask.any(dim=1)

    def with_tokens(self, tokens: Tensor) -> "Stream":
        """The same mask and times with other tokens, which are zeroed where masked."""
        return self._replace(tokens=zero_masked(tokens, self.mask))


def zero_masked(x: Tensor, mask: Tensor) -> Tensor:
    """``x (b, t, ...)`` with zeros at masked steps, also in place of NaN."""
    shaped = mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    return torch.where(shaped, x, torch.zeros((), dtype=x.dtype, device=x.device))


def given_mask(mask: Tensor | None, x: Tensor) -> Tensor:
    """The mask, by default all True for ``x (b, t, ...)``. ``ValueError`` if it is not bool."""
    if mask is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if mask.dtype != torch.bool:
        raise ValueError(f"a mask must be bool, True = real; found {mask.dtype}")
    return mask


def present_modalities(
    video: Tensor, audio: Tensor, video_mask: Tensor | None, audio_mask: Tensor | None
) -> Tensor:
    """Which modalities of a network's input have a real step: bool ``(b, 2)``, audio, video."""
    masks = given_mask(audio_mask, audio.transpose(1, 2)), given_mask(video_mask, video)
    return torch.stack([mask.any(dim=1) for mask in masks], dim=1)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the unmasked entries of the last axis; zero for masked ones."""
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, lowest).softmax(dim=-1)
    return weights * mask
