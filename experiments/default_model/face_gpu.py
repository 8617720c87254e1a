"""Purpose: face networks of several sizes, trained on a GPU within minutes, with and without
teachers.

Cost: seconds as given by --seconds for each network, of which several can run at once on one GPU.

    python experiments/default_model/face_gpu.py FERPLUS.npz OUT NAME [--stages 176 352 704]
        [--seconds 200] [--teachers NAME ...]

Trains like faces.py, but with changes of tone and light (`face_training.retone`), mixed pairs of
images, large batches, and a learning rate that falls over the time given. With teachers (networks
of earlier calls) the loss is 0.3 of that on the votes and 0.7 of that on the teachers' mean
softmax for the same augmented image (Beyer et al. 2022). Prints the accuracy on the validation
images, and the share of them that keep their label under each of `face_training.tones`; with
`--test` the same of the test images, for a network that was chosen. Writes OUT/NAME.pt.
"""

import argparse
import json
import math
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from face_training import (
    FerPlus,
    augment_faces,
    expression_logits,
    load_ferplus,
    network_of,
    tones,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.model.expression import ExpressionNetwork
from avtca.model.video_trunk import STAGE_CHANNELS

WARM_UP = 150
EVALUATE_EVERY = 10
"""Epochs between two measurements on the validation images."""
VOTES = 0.3
"""Weight of the votes beside teachers."""
SOFTENING = 2.0
"""Temperature of teachers and students."""
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def build(stages: tuple[int, ...], dropout: float = 0.2) -> ExpressionNetwork:
    trunk = {"channels": 1, "units": (4, 8, 4), "stem_stride": 1, "stage_channels": stages}
    network = network_of({"trunk": trunk})
    network.dropout.p = dropout
    return network.to(DEVICE)


def saved(path: Path) -> ExpressionNetwork:
    """A network that an earlier call wrote."""
    found = torch.load(path, map_location=DEVICE, weights_only=True)
    network = build(tuple(found["stages"]))
    network.load_state_dict(found["state"])
    return network.eval()


def predicted(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Labels ``(n,)`` of images."""
    return expression_logits(network, images).argmax(1)


def measure(network: nn.Module, side: FerPlus) -> dict[str, Any]:
    """Accuracy, recall of each label, and the share that keeps its label in other tones."""
    found = predicted(network, side.images)
    return {
        "accuracy": float((found == side.majority).mean()),
        "recall": [
            round(float((found[side.majority == label] == label).mean()), 3)
            for label in np.unique(side.majority)
        ],
        "tones": {
            name: round(float((predicted(network, images) == found).mean()), 4)
            for name, images in tones(side.images).items()
        },
    }


def mixed(crops: Tensor, votes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two fifths of the images mixed with another one, at most half of it."""
    draws = torch.rand(2, len(crops), generator=generator, device=crops.device)
    own = 1 - 0.5 * draws[0] * (draws[1] < 0.4)
    pixels = own[:, None, None, None]
    return (
        pixels * crops + (1 - pixels) * crops.flip(0),
        own[:, None] * votes + (1 - own[:, None]) * votes.flip(0),
    )


def loss_of(logits: Tensor, votes: Tensor, crops: Tensor, teachers: list[nn.Module]) -> Tensor:
    loss = F.cross_entropy(logits, votes)
    if not teachers:
        return loss
    with torch.no_grad():
        soft = [torch.softmax(teacher(crops) / SOFTENING, 1) for teacher in teachers]
    taught = F.cross_entropy(logits / SOFTENING, torch.stack(soft).mean(0)) * SOFTENING
    return VOTES * loss + (1 - VOTES) * taught


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ferplus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name")
    parser.add_argument("--stages", type=int, nargs=3, default=STAGE_CHANNELS)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--teachers", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    train, validation, test = load_ferplus(args.ferplus)
    args.out.mkdir(parents=True, exist_ok=True)
    images, votes = (torch.from_numpy(x).to(DEVICE) for x in (train.images, train.votes))
    network = build(tuple(args.stages), args.dropout).to(memory_format=torch.channels_last)
    average = deepcopy(network).eval()
    teachers: list[nn.Module] = [saved(args.out / f"{name}.pt") for name in args.teachers]
    decay = [w for w in network.parameters() if w.ndim > 1]
    plain = [w for w in network.parameters() if w.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.learning_rate, fused=DEVICE == "cuda")
    generator = torch.Generator(DEVICE).manual_seed(args.seed)
    steps_per_epoch = len(images) // args.batch
    started, step = time.time(), 0
    while (done := (time.time() - started) / args.seconds) < 1:
        if step % steps_per_epoch == 0:
            network.train()
            order = torch.randperm(len(images), generator=generator, device=DEVICE)
        rate = min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = args.learning_rate * rate
        place = step % steps_per_epoch * args.batch
        rows = order[place : place + args.batch]
        crops = augment_faces(images[rows].float()[:, None] / 255, generator, tone=True)
        crops, soft = mixed(crops, votes[rows], generator)
        crops = crops.contiguous(memory_format=torch.channels_last)
        loss = loss_of(network(crops), soft, crops, teachers)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        kept = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(
                (*average.parameters(), *average.buffers()),
                (*network.parameters(), *network.buffers()),
                strict=True,
            ):
                mean.copy_(now.lerp(mean, kept) if mean.is_floating_point() else now)
        step += 1
        if step % (EVALUATE_EVERY * steps_per_epoch) == 0:
            right = predicted(average, validation.images) == validation.majority
            print(f"{args.name}: epoch {step // steps_per_epoch}, {right.mean():.4f}", flush=True)
    card = {
        "name": args.name,
        "stages": list(args.stages),
        "teachers": args.teachers,
        "seed": args.seed,
        "epochs": round(step / steps_per_epoch, 1),
        "validation": measure(average, validation),
        **({"test": measure(average, test)} if args.test else {}),
    }
    out = {"state": average.state_dict(), "stages": list(args.stages)}
    torch.save(out, args.out / f"{args.name}.pt")
    (args.out / f"{args.name}.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card), flush=True)


if __name__ == "__main__":
    main()
