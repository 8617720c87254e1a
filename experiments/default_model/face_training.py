"""Stage 1 of the packaged model: training of the paper's video trunk on FERPlus.

FERPlus (Barsoum et al. 2016): 48 x 48 grey faces of FER2013, ten votes each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from avtca.errors import CorpusError
from avtca.labels import FERPLUS
from avtca.model.expression import ExpressionNetwork
from avtca.model.video_trunk import VideoTrunk

TRAIN, VALIDATION, TEST = 0, 1, 2
N_EMOTIONS = 8
WARM_UP = 150
"""Steps until the learning rate reaches its maximum."""


@dataclass(frozen=True)
class FerPlus:
    """One subset of FERPlus.

    ``images``: uint8 ``(n, 48, 48)`` luma; ``votes``: float32 ``(n, 8)``, shares that sum to 1,
    in the order of :data:`avtca.labels.FERPLUS`; ``majority``: int64 ``(n,)``.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.float32]
    majority: NDArray[np.int64]


def network_of(card: dict[str, Any]) -> ExpressionNetwork:
    """A network of the sizes in the card of faces.py, with random weights."""
    trunk = VideoTrunk(**{**card["trunk"], "units": tuple(card["trunk"]["units"])})
    return ExpressionNetwork(trunk, n_labels=len(FERPLUS))


def load_ferplus(path: Path) -> tuple[FerPlus, FerPlus, FerPlus]:
    """Train, validation and test of ``ferplus.npz``.

    As in the corpus's paper, emotions with a single vote are outliers and removed. Test and
    validation keep the images whose majority is one of the eight emotions and has more than half
    of the remaining votes. Training keeps every image whose most frequent vote is an emotion, with
    its soft votes. Images that also occur in validation or test are removed from training, and
    those of test from validation.
    """
    if not path.is_file():
        raise CorpusError(f"read FERPlus at {path}", "no such file", "give the path of ferplus.npz")
    with np.load(path) as data:
        images, usage = data["images"], data["usage"]
        raw = data["votes"].astype(np.float32)
    kept = np.where(raw > 1, raw, 0)
    total = kept.sum(1)
    best = kept.argmax(1)
    emotion = (best < N_EMOTIONS) & (total > 0)
    clear = emotion & (kept.max(1) > 0.5 * total)
    shares = kept[:, :N_EMOTIONS]
    shares = shares / np.maximum(shares.sum(1, keepdims=True), 1)
    digests = np.array([picture.tobytes() for picture in images], dtype=object)
    sides: list[FerPlus] = []
    seen: set[bytes] = set()
    for side, wanted in ((TEST, clear), (VALIDATION, clear), (TRAIN, emotion)):
        fresh = np.array([digest not in seen for digest in digests])
        rows = np.flatnonzero((usage == side) & wanted & fresh)
        seen |= set(digests[usage == side])
        sides.append(FerPlus(images[rows], shares[rows], best[rows].astype(np.int64)))
    test, validation, train = sides
    return train, validation, test


def _uniform(crops: Tensor, generator: torch.Generator) -> Callable[..., Tensor]:
    """Uniform draws for each crop: ``uniform(low, high, *shape)`` -> ``(b, *shape)``."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        size = (len(crops), *shape)
        drawn = torch.rand(size, generator=generator, device=generator.device)
        return low + (high - low) * drawn.to(crops.device)

    return uniform


def retone(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Another skin tone, camera curve and light: ``(b, 1, h, w)`` in 0..1, same shape and range.

    Gamma (for half of the crops 0.37 to 2.7, for the others 0.74 to 1.35), an S-curve of contrast
    (30 %), and light that varies smoothly over the face (half: a random 3 x 3 map of exposures, up
    to 1.2 stops).
    """
    uniform = _uniform(crops, generator)
    crops = crops.clamp(1e-4, 1)
    spread = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, 1.0, 0.3)
    crops = crops ** torch.exp(spread * uniform(-1, 1, 1, 1, 1))
    steep = uniform(2, 8, 1, 1, 1)
    curve = torch.sigmoid(steep * (crops - uniform(0.35, 0.65, 1, 1, 1)))
    crops = torch.where(uniform(0, 1, 1, 1, 1) < 0.3, curve, crops)
    stops = uniform(-1, 1, 1, 3, 3) * uniform(0.2, 1.2, 1, 1, 1)
    stops = F.interpolate(stops, size=crops.shape[2:], mode="bicubic", align_corners=True)
    return torch.where(uniform(0, 1, 1, 1, 1) < 0.5, crops * torch.exp2(stops), crops).clamp(0, 1)


def tones(images: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """The same faces in other tones and light, for tests: name -> uint8 ``(n, 48, 48)``."""
    x = images.astype(np.float32) / 255
    across = np.linspace(0.3, 1, x.shape[2], dtype=np.float32)
    changed = {
        "darker, gamma 2": x**2,
        "much darker, gamma 3": x**3,
        "lighter, gamma 0.5": x**0.5,
        "low contrast": 0.35 * x + 0.1,
        "high contrast": 1 / (1 + np.exp(-9 * (x - 0.5))),
        "light from the right": x * across,
        "light from the left": x * across[::-1],
        "light from above": x * across[::-1, None],
    }
    return {name: np.rint(255 * y).astype(np.uint8) for name, y in changed.items()}


def augment_faces(crops: Tensor, generator: torch.Generator, *, tone: bool = False) -> Tensor:
    """Differences of aligned stills and video crops: pose, framing, light, blur, occlusion.

    ``crops``: float ``(b, 1, h, w)`` in 0..1; same shape back. Affine (flip, +-12 degrees, +-12 %
    size, +-6 % shift), gamma and gain, blur or lower resolution, noise, an erased rectangle;
    ``tone``: stronger changes of tone and light (:func:`retone`) in place of gamma. The generator
    is of the processor or of the crops' device.
    """
    b, _, h, w = crops.shape
    device = crops.device
    uniform = _uniform(crops, generator)

    angle = uniform(-0.21, 0.21)
    scale = uniform(0.88, 1.12)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    stretch = uniform(0.93, 1.07)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = (
        torch.stack((cos * flip * stretch, -sin, uniform(-0.12, 0.12)), 1),
        torch.stack((sin * flip * stretch, cos, uniform(-0.12, 0.12)), 1),
    )
    grid = F.affine_grid(torch.stack(rows, 1), [b, 1, h, w], align_corners=False)
    crops = F.grid_sample(crops, grid, padding_mode="border", align_corners=False)

    blurred = F.avg_pool2d(crops, 3, 1, 1, count_include_pad=False)
    coarse = F.interpolate(crops, scale_factor=0.5, mode="area")
    coarse = F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=False)
    pick = uniform(0, 1, 1, 1, 1)
    crops = torch.where(pick < 0.12, blurred, torch.where(pick < 0.2, coarse, crops))

    if tone:
        crops = retone(crops, generator)
    else:
        crops = crops.clamp(1e-4, 1) ** torch.exp(uniform(-0.3, 0.3, 1, 1, 1))
    crops = crops * uniform(0.8, 1.2, 1, 1, 1)
    noise = torch.randn(crops.shape, generator=generator, device=generator.device).to(device)
    crops = crops + noise * uniform(0, 0.02, 1, 1, 1)

    size = uniform(0.1, 0.4, 2)
    corner = uniform(0, 1, 2) * (1 - size)
    y = (torch.arange(h, device=device) + 0.5) / h
    x = (torch.arange(w, device=device) + 0.5) / w
    in_y = (y > corner[:, :1]) & (y < (corner + size)[:, :1])
    in_x = (x > corner[:, 1:]) & (x < (corner + size)[:, 1:])
    hole = in_y[:, None, :, None] & in_x[:, None, None, :] & (uniform(0, 1, 1, 1, 1) < 0.25)
    return torch.where(hole, uniform(0, 1, 1, 1, 1), crops)


class FaceTraining(lightning.LightningModule):
    """Soft-label cross-entropy on the votes, one cycle of AdamW, averaged weights (EMA).

    ``small_epochs`` epochs at the start run on 32 px pictures, which costs less than half.
    """

    def __init__(
        self,
        *,
        epochs: int = 22,
        small_epochs: int = 0,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        units: tuple[int, ...] = (4, 8, 4),
        width: int = 1024,
        steps_per_epoch: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        trunk = VideoTrunk(channels=1, units=tuple(units), stem_stride=1, width=width)
        network = ExpressionNetwork(trunk, n_labels=N_EMOTIONS)
        # On one core, 200 pictures a second instead of 160.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(0.998),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Loss on augmented images; the augmentation depends on seed and step."""
        images, votes = batch
        generator = torch.Generator().manual_seed(self.hparams["seed"] * 10**7 + self.global_step)
        crops = augment_faces(images.float()[:, None] / 255, generator)
        if self.current_epoch < self.hparams["small_epochs"]:
            crops = F.interpolate(crops, size=(32, 32), mode="area")
        loss = F.cross_entropy(self.network(crops), votes)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the averaged network after each step."""
        self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Accuracy of the averaged network on the majority label."""
        images, majority = batch
        hit = self.average(images.float()[:, None] / 255).argmax(1) == majority
        self.log("val_accuracy", hit.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW, linear warm-up, cosine to zero."""
        p = self.hparams
        decay: list[Tensor] = [w for w in self.network.parameters() if w.ndim > 1]
        plain: list[Tensor] = [w for w in self.network.parameters() if w.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=p["learning_rate"], weight_decay=p["weight_decay"])
        warm, total = WARM_UP, p["steps_per_epoch"] * p["epochs"]

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return float(0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / (total - warm)))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


@torch.no_grad()
def expression_logits(network: torch.nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits ``(n, 8)`` of crops ``(n, 48, 48)``: mean of the image and its mirror image."""
    network.eval()
    device, out = next(network.parameters()).device, []
    for start in range(0, len(images), 512):
        crops = torch.from_numpy(images[start : start + 512]).to(device).float()[:, None] / 255
        out.append((network(crops) + network(crops.flip(3))) / 2)
    return torch.cat(out).cpu().numpy()
