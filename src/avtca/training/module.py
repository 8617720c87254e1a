"""One training step and one validation, for Lightning's loop."""

from collections.abc import Callable
from typing import Any, cast

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from avtca.data.windows import Batch, mean_by_sample
from avtca.errors import ConfigError
from avtca.evaluation.inference import run_network
from avtca.model.avtca import AVTCA
from avtca.model.head import OF
from avtca.training.config import TrainConfig
from avtca.training.losses import EmotionLoss, apply_modality_dropout, mixup_batch
from avtca.training.schedule import make_optimiser, rate_factor
from avtca.training.scores import scores

Tensors = tuple[Tensor, ...] | list[Tensor]


class Training(lightning.LightningModule):
    """A network, its recipe, and the validation figures of the epoch that ended last.

    All chance (dropout, modality dropout, mixup) is drawn from ``(seed, step, process)`` anew at
    each step, so that a resumed run goes on as the unbroken one.
    """

    def __init__(
        self,
        network: AVTCA,
        recipe: TrainConfig,
        targets: NDArray[np.float32],
        *,
        steps: int,
        validation_targets: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.steps = network, recipe, steps
        self.objective = EmotionLoss(recipe, targets)
        self.average: AveragedModel | None = None
        if recipe.ema:
            follow = moving_average(recipe.ema)
            self.average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
        self.validation_targets = validation_targets
        self.figures: dict[str, float] = {}
        self._losses: list[Tensor] = []
        self._validated: list[tuple[Tensor, Tensor]] = []

    @property
    def kept(self) -> AVTCA:
        """The network that is validated and kept: the average where there is one."""
        if self.average is None:
            return self.network
        return cast(AVTCA, self.average.module)

    def on_train_epoch_start(self) -> None:
        """A new mean of the training loss."""
        self._losses = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one batch."""
        where = [self.recipe.seed, self.global_step, self.global_rank]
        seed = int(np.random.SeedSequence(where).generate_state(1, np.uint32)[0])
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        if self.recipe.augmentation.mixup:
            batch = mixup_batch(batch, self.recipe.augmentation.mixup, generator)
        batch = apply_modality_dropout(batch, self.recipe.modality_dropout, generator)
        output = run_network(self.network, batch)
        loss: Tensor = self.objective(output.logits, batch.target).mean()
        if self.recipe.auxiliary_weight:
            present = torch.stack((batch.audio_mask.any(1), batch.video_mask.any(1)), dim=1)
            for name, logits in output.auxiliary.items():
                own = self.objective(logits, batch.target) * present[:, OF[name]]
                loss = loss + self.recipe.auxiliary_weight * own.mean()
        self._losses.append(loss.detach())
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=len(batch.target))
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stops a run whose loss is no number any more."""
        if not torch.isfinite(self._losses[-1]):
            raise ConfigError(
                "train this network",
                f"the loss is not finite at step {self.global_step}",
                "lower optimiser.learning_rate, or set optimiser.clip_norm",
            )

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        """The average follows after each step."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Nothing validated yet."""
        self._validated = []

    def validation_step(self, batch: Batch, index: int) -> None:
        """Probabilities of one batch of windows."""
        logits = run_network(self.kept, batch).logits
        self._validated.append((probabilities(logits, self.recipe), batch.sample))

    def on_validation_epoch_end(self) -> None:
        """Figures over samples, each the mean of its windows."""
        if self.validation_targets is None or self.trainer.sanity_checking:
            return
        values = torch.cat([part for part, _ in self._validated]).float().cpu().numpy()
        sample = torch.cat([part for _, part in self._validated]).cpu().numpy()
        means = mean_by_sample(values, sample, len(self.validation_targets))
        binary = self.recipe.loss == "binary"
        self.figures = scores(means, self.validation_targets, binary=binary)

    @property
    def train_loss(self) -> Tensor:
        """Mean training loss of the epoch so far, in this process."""
        return torch.stack(self._losses).mean()

    def on_train_epoch_end(self) -> None:
        """Everything to the loggers, and what chooses the weights to the progress bar."""
        named: dict[str, Tensor | float] = {"train_loss": self.train_loss}
        named |= {f"validation_{name}": value for name, value in self.figures.items()}
        for name, value in named.items():
            shown = name == f"validation_{self.recipe.metric}"
            self.log(name, value, prog_bar=shown, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser and its rate for each step."""
        optimiser = make_optimiser(self.network, self.recipe.optimiser)
        factor = rate_factor(self.recipe.optimiser, epochs=self.recipe.epochs, steps=self.steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def probabilities(logits: Tensor, recipe: TrainConfig) -> Tensor:
    """Softmax, or sigmoid where several labels may hold."""
    return logits.sigmoid() if recipe.loss == "binary" else logits.softmax(1)


def moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """An exponential moving average that forgets faster at first: ``min(decay, (1+n)/(10+n))``.

    Without it the first weights would weigh on short runs. Counters are copied.
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
