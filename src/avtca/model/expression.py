"""Facial expression in still images: the video trunk with a classifier.

The packaged model turns each frame into an expression vector with it (docs/decisions.md, "two
steps"). Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels.
"""

import torch
from torch import Tensor, nn

from avtca.labels import FER2013, FERPLUS, order_map
from avtca.model.video_trunk import VideoTrunk


class ExpressionNetwork(nn.Module):
    """Face crops to expression logits: ``(b, c, h, w)`` in 0..1 -> ``(b, n_labels)``.

    Each crop is standardised first, so that exposure and contrast have no effect.
    """

    def __init__(self, trunk: VideoTrunk, *, n_labels: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(trunk.width, n_labels)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.dropout(self.trunk(standardise(crops))))
        return logits


def standardise(crops: Tensor) -> Tensor:
    """Each crop with zero mean and unit deviation: ``(b, c, h, w)``, shape kept."""
    centred = crops - crops.mean(dim=(1, 2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-4).sqrt()


class ExpressionFeatures(nn.Module):
    """Video features from face crops: ``(n, 1, 48, 48)`` -> probabilities ``(n, 7)``.

    The network's logits of the seven FER2013 expressions (without contempt), in FER2013's order,
    through a linear map and a softmax. The map aligns them with the features that the fusion
    network was trained on.

    Args:
        network: Trained on FER+ labels.
        weight: ``(7, 7)`` of the map, by default the identity.
        bias: ``(7,)`` of the map, by default zero.
    """

    def __init__(
        self,
        network: ExpressionNetwork,
        *,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor(order_map(FERPLUS, FER2013)))
        self.alignment = nn.Linear(len(FER2013), len(FER2013))
        with torch.no_grad():
            self.alignment.weight.copy_(torch.eye(len(FER2013)) if weight is None else weight)
            self.alignment.bias.copy_(torch.zeros(len(FER2013)) if bias is None else bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Probabilities that sum to one."""
        logits: Tensor = self.network(crops)[:, self.order]
        return torch.softmax(self.alignment(logits - logits.mean(dim=1, keepdim=True)), dim=1)
