"""Training and validation steps for Lightning's loop."""

from collections.abc import Callable
from typing import Any, cast

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from avtca.compat import upgrade_parameter
from avtca.data.windows import Batch, mean_by_sample
from avtca.errors import ConfigError
from avtca.evaluation.inference import run_network
from avtca.model.config import OUTPUT_OF_LOSS
from avtca.model.experts import MODALITY_OF
from avtca.model.network import FusionNetwork
from avtca.model.own_network import OwnNetwork
from avtca.training.config import TrainConfig
from avtca.training.losses import EmotionLoss, apply_modality_dropout, mixup_batch
from avtca.training.schedule import make_optimiser, rate_factor
from avtca.training.scores import scores

Tensors = tuple[Tensor, ...] | list[Tensor]


class Training(lightning.LightningModule):
    """A network with its loss, moving average and validation metrics.

    The random numbers of a step (dropout, modality dropout, mixup) are a function of seed, step and
    process, so that a resumed run equals one that was never interrupted.

    Args:
        network: The network; trained in place.
        config: Loss, augmentation and optimiser.
        targets: Targets of the training samples, ``(n, n_labels)``.
        steps: Optimiser steps per epoch.
        validation_targets: Targets of the validation samples, ``(n, n_labels)``.
    """

    def __init__(
        self,
        network: FusionNetwork,
        config: TrainConfig,
        targets: NDArray[np.float32],
        *,
        steps: int,
        validation_targets: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.config, self.steps = network, config, steps
        self.loss_fn = EmotionLoss(config, targets)
        self.average: AveragedModel | None = None
        if config.ema:
            follow = moving_average(config.ema)
            self.average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
        self.validation_targets = validation_targets
        self.figures: dict[str, float] = {}
        self._losses: list[Tensor] = []
        self._validated: list[tuple[Tensor, Tensor]] = []

    @property
    def kept(self) -> FusionNetwork:
        """The network that is validated and kept: the moving average if there is one."""
        if self.average is None:
            return self.network
        return cast(FusionNetwork, self.average.module)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Read ``last.ckpt`` of earlier versions."""
        if isinstance(self.network, OwnNetwork):
            return
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {upgrade_parameter(name): state[name] for name in state}

    def on_train_epoch_start(self) -> None:
        """Start a new mean of the training loss."""
        self._losses = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one batch."""
        where = [self.config.seed, self.global_step, self.global_rank]
        seed = int(np.random.SeedSequence(where).generate_state(1, np.uint32)[0])
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        if self.config.augmentation.mixup:
            batch = mixup_batch(batch, self.config.augmentation.mixup, generator)
        batch = apply_modality_dropout(batch, self.config.modality_dropout, generator)
        output = run_network(self.network, batch)
        loss: Tensor = self.loss_fn(output.logits, batch.target).mean()
        if self.config.auxiliary_weight:
            present = torch.stack((batch.audio_mask.any(1), batch.video_mask.any(1)), dim=1)
            for name, logits in output.expert_logits.items():
                own = self.loss_fn(logits, batch.target) * present[:, MODALITY_OF[name]]
                loss = loss + self.config.auxiliary_weight * own.mean()
        self._losses.append(loss.detach())
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=len(batch.target))
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop a run whose loss is not finite."""
        if not torch.isfinite(self._losses[-1]):
            raise ConfigError(
                "train this network",
                f"the loss is not finite at step {self.global_step}",
                "lower optimiser.learning_rate, or set optimiser.clip_norm",
            )

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        """Update the moving average."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last epoch."""
        self._validated = []

    def validation_step(self, batch: Batch, index: int) -> None:
        """Predict one batch of windows."""
        logits = run_network(self.kept, batch).logits
        self._validated.append((probabilities(logits, self.config), batch.sample))

    def on_validation_epoch_end(self) -> None:
        """Metrics over samples, whose predictions are the mean over their windows."""
        if self.validation_targets is None or self.trainer.sanity_checking:
            return
        values = torch.cat([part for part, _ in self._validated]).float().cpu().numpy()
        sample = torch.cat([part for _, part in self._validated]).cpu().numpy()
        means = mean_by_sample(values, sample, len(self.validation_targets))
        output = OUTPUT_OF_LOSS[self.config.loss]
        self.figures = scores(means, self.validation_targets, output=output)

    @property
    def train_loss(self) -> Tensor:
        """Mean training loss of the epoch so far in this process."""
        return torch.stack(self._losses).mean()

    def on_train_epoch_end(self) -> None:
        """Log all metrics; the progress bar shows the one that selects the weights."""
        named: dict[str, Tensor | float] = {"train_loss": self.train_loss}
        named |= {f"validation_{name}": value for name, value in self.figures.items()}
        for name, value in named.items():
            shown = name == f"validation_{self.config.metric}"
            self.log(name, value, prog_bar=shown, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The optimiser, and its learning rate at each step."""
        optimiser = make_optimiser(self.network, self.config.optimiser)
        factor = rate_factor(self.config.optimiser, epochs=self.config.epochs, steps=self.steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def probabilities(logits: Tensor, config: TrainConfig) -> Tensor:
    """Softmax, or sigmoid where several labels may apply; predicted values as they are."""
    if config.loss == "l1":
        return logits
    return logits.sigmoid() if config.loss == "binary" else logits.softmax(1)


def moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential moving average with decay ``min(decay, (1 + n) / (10 + n))`` at step n.

    The smaller decay of the first steps keeps the initial weights out of short runs. Integer
    buffers are copied.
    """

    @torch.no_grad()
    def follow(averaged: Tensors, current: Tensors, n: Tensor | int) -> None:
        now = min(decay, (1 + float(n)) / (10 + float(n)))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), 1 - now)
            else:
                old.copy_(new)

    return follow
