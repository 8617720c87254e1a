"""Purpose: train the face network of the packaged model. Cost: an hour and a half on one core.

    python experiments/default_model/faces.py FERPLUS.npz OUT [--epochs 40] [--small-epochs 14]

Resumes from OUT/last.ckpt if it exists. Writes OUT/face.safetensors and OUT/face.json.
"""

import argparse
import json
import time
from pathlib import Path

import lightning
import torch
from face_training import FaceTraining, expression_logits, load_ferplus
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import save_file
from torch.utils.data import DataLoader, TensorDataset

from avtca.labels import FERPLUS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("ferplus", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--small-epochs", type=int, default=14)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=2e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=1)
args = parser.parse_args()

torch.set_num_threads(args.threads)
lightning.seed_everything(args.seed)
train, validation, test = load_ferplus(args.ferplus)
print(
    f"FERPlus: {len(train.images)} train, {len(validation.images)} validation, "
    f"{len(test.images)} test"
)
loader = DataLoader(
    TensorDataset(torch.from_numpy(train.images), torch.from_numpy(train.votes)),
    batch_size=args.batch,
    shuffle=True,
    drop_last=True,
)
val_loader = DataLoader(
    TensorDataset(torch.from_numpy(validation.images), torch.from_numpy(validation.majority)),
    batch_size=512,
)
module = FaceTraining(
    epochs=args.epochs,
    small_epochs=args.small_epochs,
    learning_rate=args.learning_rate,
    steps_per_epoch=len(loader),
    seed=args.seed,
)
args.out.mkdir(parents=True, exist_ok=True)
last = args.out / "last.ckpt"
started = time.time()
trainer = lightning.Trainer(
    max_epochs=args.epochs,
    accelerator="cpu",
    logger=CSVLogger(args.out, name="log", version=0, flush_logs_every_n_steps=50),
    callbacks=[ModelCheckpoint(args.out, filename="last", enable_version_counter=False)],
    enable_progress_bar=False,
    log_every_n_steps=50,
)
trainer.fit(
    module, loader, val_loader, ckpt_path=last if last.exists() else None, weights_only=False
)

network = module.average.module
card = {
    "labels": list(FERPLUS),
    "trunk": {"channels": 1, "units": [4, 8, 4], "stem_stride": 1, "width": 1024},
    "epochs": args.epochs,
    "small_epochs": args.small_epochs,
    "seed": args.seed,
    "seconds": round(time.time() - started),
    "train_pictures": len(train.images),
}
for name, side in (("validation", validation), ("test", test)):
    hit = expression_logits(network, side.images).argmax(1) == side.majority
    card[f"{name}_accuracy"] = round(float(hit.mean()), 4)
    card[f"{name}_pictures"] = len(hit)
save_file(network.state_dict(), args.out / "face.safetensors")
(args.out / "face.json").write_text(json.dumps(card, indent=2))
print(json.dumps(card, indent=2))
