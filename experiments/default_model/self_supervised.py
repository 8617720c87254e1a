"""Purpose: trial of self-supervised pretraining of the audio branch, without labels.

Cost: a quarter of an hour on one core.

    python experiments/default_model/self_supervised.py ../shared/corpora WORK
    python experiments/default_model/voice.py ../shared/corpora WORK/labelled --seeds 0 \
        --start WORK/self_supervised/last
    for initial in WORK/self_supervised WORK/labelled/voice \
            experiments/default_model/pretrained/voice; do
        python experiments/ravdess_trials.py ../shared/corpora/ravdess TABLE experts \
            --pretrained $initial/last
    done

The convolutions of the audio branch of `experts` on nEMO and EMO-DB without labels: parts of the
mel bands are masked, and a linear decoder reconstructs them from the branch's tokens (masked
prediction, as Mockingjay, Liu et al. 2020, with squared error and convolutions). Writes
WORK/self_supervised/last.safetensors and .json, an initial audio branch like that of voice.py.
"""

import argparse
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from voice import CORPORA, RECIPE, speech_samples

from avtca.data.augment_config import Augmentation
from avtca.data.training import TrainingDataset, training_loader
from avtca.model import save_checkpoint
from avtca.model.avtca import AVTCA
from avtca.model.streams import Stream, zero_masked
from avtca.training.schedule import make_optimiser, rate_factor
from avtca.training.trainer import new_network, torch_threads

SPAN, SHARE = 10, 0.3
"""Length of a masked span in frames of 40 ms, and the approximate share of masked frames."""


def frames_to_mask(mask: Tensor) -> Tensor:
    """Randomly placed spans of valid frames, ``(b, t)``."""
    begins = (torch.rand(mask.shape) < SHARE / SPAN).float()
    spread = nn.functional.max_pool1d(nn.functional.pad(begins[:, None], (SPAN - 1, 0)), SPAN, 1)
    return (spread[:, 0] > 0) & mask


def masked_error(network: AVTCA, decoder: nn.Module, audio: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error on the masked frames."""
    whole: Stream = network.audio_frontend(audio, mask)
    masked = frames_to_mask(whole.mask)
    visible = whole._replace(tokens=zero_masked(whole.tokens, ~masked))
    tokens = network.audio_after(network.audio_before(visible)).tokens
    predicted = rearrange(decoder(tokens), "b t (n f) -> b (t n) f", f=whole.tokens.shape[2])
    return (predicted[:, : masked.shape[1]] - whole.tokens)[masked].square().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()
    torch_threads(1)
    torch.manual_seed(0)
    samples = speech_samples(args.shared, args.work, CORPORA["ravdess"])
    sizes = {"dropout": 0.2, "probabilities": samples.spec.video_dim}
    network = new_network("experts", samples.spec, **sizes).train()
    widths = network.config.audio_widths
    decoder = nn.Linear(
        widths[-1], 2 ** len(widths) * samples.spec.audio_dim
    )  # each halves the time
    augmentation = Augmentation(crop=True, crop_slack_s=0.3, speed=0.15)
    loader = training_loader(TrainingDataset(samples, augmentation, 0), RECIPE.batch_size)
    learned = nn.ModuleList((network, decoder))
    optimiser = make_optimiser(learned, RECIPE.optimiser)
    factor = rate_factor(RECIPE.optimiser, epochs=args.epochs, steps=len(loader))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    for epoch in range(args.epochs):
        loader.sampler.set_epoch(epoch)
        total = 0.0
        for batch in loader:
            optimiser.zero_grad()
            loss = masked_error(network, decoder, batch.audio, batch.audio_mask)
            loss.backward()
            nn.utils.clip_grad_norm_(learned.parameters(), RECIPE.optimiser.clip_norm)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) / len(loader)
        print(f"epoch {epoch}: squared error {total:.4f}", flush=True)
    out = args.work / "self_supervised"
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out / "last", network, samples.spec, provenance={"epochs": args.epochs})


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    main()
