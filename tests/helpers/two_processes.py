"""Run by test_distributed, alone and under torchrun: a short training that keeps its gradients."""

import os
import sys
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback

sys.path.insert(0, str(Path(__file__).parent))
from made_samples import SPEC, make_samples

from avtca.data.augment_config import Augmentation
from avtca.training.config import Optimiser, TrainConfig
from avtca.training.trainer import fit, new_network

SIZES = {"video_widths": (8, 8, 16, 16), "audio_widths": (8, 16, 16, 16)}


class Keep(Callback):
    def __init__(self, out: Path) -> None:
        self.out, self.steps = out, []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        gradients = {n: w.grad.clone() for n, w in module.network.named_parameters()}
        self.steps.append(gradients)

    def on_train_end(self, trainer, module):
        if trainer.is_global_zero:
            torch.save(self.steps, self.out / "gradients.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    config = TrainConfig(
        epochs=2,
        batch_size=8,
        auxiliary_weight=0.3,
        class_weights=True,
        augmentation=Augmentation(crop_slack_s=0.2),
        optimiser=Optimiser(learning_rate=0.01),
    )
    network = new_network("experts", SPEC, audio_frontend="conv1d", **SIZES)
    result = fit(
        network, config, make_samples(24), make_samples(12, seed=1), out=out, callbacks=[Keep(out)]
    )
    print(os.environ.get("WORLD_SIZE", "1"), len(result.history))
