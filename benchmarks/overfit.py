"""Overfit every network on 16 real RAVDESS samples, to check that nothing blocks the gradient.

    python benchmarks/overfit.py [VARIANT ...] [--ravdess FOLDER] [--out FILE]

Audio as log-mel and faces as series of seven probabilities; variants that differ in the pixel front
end use 64 px crops of actor 01 instead. One batch, Adam; stops when every sample is classified
correctly in evaluation mode (running statistics, no dropout). Cost: about four minutes on one
core for all.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from real_samples import FEATURES, feature_samples, pixel_samples, pixels
from torch.nn import functional as F

from avtca.model import VARIANTS, ModelConfig, build_model

SAMPLES = 16
LIMIT_S = 120.0


def overfit(
    variant: str, ravdess: Path, *, limit_s: float = LIMIT_S, seed: int = 0
) -> dict[str, Any]:
    """Steps and seconds until all samples are correct, or the state after ``limit_s`` CPU s."""
    reads_pixels = variant.startswith("no_")
    spec = pixels(64, 4) if reads_pixels else FEATURES
    batch, codes = (
        pixel_samples(ravdess, SAMPLES, spec) if reads_pixels else feature_samples(ravdess, SAMPLES)
    )
    x = [
        torch.from_numpy(part)
        for part in (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    ]
    y = torch.from_numpy(codes)
    torch.manual_seed(seed)
    model = build_model(variant, ModelConfig.for_spec(spec))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    wall, started = time.perf_counter(), time.process_time()
    step, accuracy = 0, 0.0
    while time.process_time() - started < limit_s:
        model.train()
        out = model(*x)
        loss = F.cross_entropy(out.logits, y)
        for logits in out.expert_logits.values():
            loss = loss + F.cross_entropy(logits, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 5 == 0:
            model.eval()
            with torch.inference_mode():
                accuracy = float((model(*x).logits.argmax(1) == y).float().mean())
            if accuracy == 1.0:
                break
    return {
        "variant": variant,
        "video": spec.video,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": step,
        "cpu_seconds": round(time.process_time() - started, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "accuracy": accuracy,
    }


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=list(VARIANTS))
    shared = Path(os.environ.get("AVTCA_SHARED", root.parent / "shared"))
    parser.add_argument("--ravdess", type=Path, default=shared / "corpora" / "ravdess")
    parser.add_argument("--out", type=Path, default=root / "benchmarks/results/overfit.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for variant in given.variants:
        rows.append(overfit(variant, given.ravdess))
        print(json.dumps(rows[-1]), flush=True)
    result = {
        "what": f"Adam on one batch of {SAMPLES} real RAVDESS samples until all are correct",
        "machine": f"{platform.machine()}, one thread, beside other work",
        "torch": torch.__version__,
        "rows": rows,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
