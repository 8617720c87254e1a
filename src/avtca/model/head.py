"""Figure, step 9: the two vectors become logits; and the baselines' ways to do so.

Shape legend: ``b`` batch, ``d`` token width. ``present`` is bool ``(b, 2)``: sound, visual.
"""

import torch
from torch import Tensor, nn

from avtca.model.pooling import AttentivePool
from avtca.model.streams import Stream, masked_softmax

Own = dict[str, Tensor]
"""Logits of each modality on its own, by "sound" and "visual"; empty in most variants."""


class Sum(nn.Module):
    """Figure, step 9: element-wise sum, then a fully connected layer."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        out: Tensor = self.linear(sound + visual)
        return out


class Concatenation(nn.Module):
    """Released code and the concatenation baseline: side by side, then fully connected."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        out: Tensor = self.linear(torch.cat((sound, visual), dim=1))
        return out


class Gated(nn.Module):
    """A softmax over the two vectors, of those present, weighs their sum; then linear."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * d, 2)
        self.linear = nn.Linear(d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        gates = masked_softmax(self.gate(torch.cat((sound, visual), dim=1)), present)
        out: Tensor = self.linear(gates[:, :1] * sound + gates[:, 1:] * visual)
        return out


class Late(nn.Module):
    """The gated logits plus each present modality's own log-posterior: a product of experts."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.joint = Gated(d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """Needs ``own`` of :class:`AuxiliaryHeads`."""
        posteriors = torch.stack((own["sound"], own["visual"]), dim=1).log_softmax(dim=2)
        out: Tensor = self.joint(sound, visual, present, own)
        return out + (posteriors * present[..., None]).sum(dim=1)


class MeanPosterior(nn.Module):
    """Baseline: a classifier for each modality, logits = log of their posteriors' mean."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.sound, self.visual = nn.Linear(d, n_labels), nn.Linear(d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """Over the modalities that are present; leaves each one's logits in ``own``."""
        own["sound"] = self.sound(sound) * present[:, :1]
        own["visual"] = self.visual(visual) * present[:, 1:]
        posteriors = torch.stack((own["sound"], own["visual"]), dim=1).softmax(dim=2)
        shares = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        return (posteriors * shares[..., None]).sum(dim=1).clamp(min=1e-7).log()


class SoundOnly(nn.Module):
    """Baseline: the audio vector alone."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, n_labels)

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d) -> (b, n_labels)``."""
        out: Tensor = self.linear(sound)
        return out


class VisualOnly(SoundOnly):
    """Baseline: the video vector alone."""

    def forward(self, sound: Tensor, visual: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d) -> (b, n_labels)``."""
        out: Tensor = self.linear(visual)
        return out


class AuxiliaryHeads(nn.Module):
    """Logits of each stream before it meets the other: attentive pool, dropout, linear.

    An option of ``best``: a loss on them keeps either modality good on its own.
    """

    def __init__(self, d_sound: int, d_visual: int, n_labels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.pool_sound, self.pool_visual = AttentivePool(d_sound), AttentivePool(d_visual)
        self.dropout = nn.Dropout(dropout)
        self.sound, self.visual = nn.Linear(d_sound, n_labels), nn.Linear(d_visual, n_labels)

    def forward(self, sound: Stream, visual: Stream) -> Own:
        """Zeros for an empty stream."""
        from_sound = self.sound(self.dropout(self.pool_sound(sound)))
        from_visual = self.visual(self.dropout(self.pool_visual(visual)))
        return {
            "sound": from_sound * sound.present[:, None],
            "visual": from_visual * visual.present[:, None],
        }


class NoAuxiliaryHeads(nn.Module):
    """Most variants have none."""

    def forward(self, sound: Stream, visual: Stream) -> Own:
        """Nothing."""
        return {}
