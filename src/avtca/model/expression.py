"""The video trunk with a head of its own: facial expression in a still picture.

The packaged model turns each frame into an expression vector with it (docs/decisions.md, "two
steps"). Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels.
"""

from torch import Tensor, nn

from avtca.model.video_trunk import VideoTrunk


class ExpressionNetwork(nn.Module):
    """Face crops to expression logits: ``(b, c, h, w)`` in 0..1 -> ``(b, n_labels)``.

    Each crop is brought to zero mean and unit deviation first, so that exposure and contrast of
    a camera do not matter.
    """

    def __init__(self, trunk: VideoTrunk, *, n_labels: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(trunk.width, n_labels)

    def forward(self, crops: Tensor) -> Tensor:
        """Standardise, trunk, linear."""
        logits: Tensor = self.head(self.dropout(self.trunk(standardise(crops))))
        return logits


def standardise(crops: Tensor) -> Tensor:
    """Zero mean and unit deviation for each crop: ``(b, c, h, w)``, shape kept."""
    centred = crops - crops.mean(dim=(1, 2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-4).sqrt()
