"""Compare torch.export and ONNX with eager PyTorch for every network, on real RAVDESS samples.

    python benchmarks/onnx_parity.py [VARIANT ...] [--ravdess FOLDER] [--out FILE]

Feature front end: four samples, log-mel and face series, with and without each modality. Pixel
front ends, of which there are six: two samples of actor 01 at 64 px. Batches of one and of all.
Cost: about six minutes on one core for all (the exporter, not the networks).
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_samples import FEATURES, PITCH, feature_samples, pixel_samples, pixels

from avtca.model import VARIANTS, ModelConfig, build_model
from avtca.model.avtca import AVTCA
from avtca.model.export import INPUTS, export_program, write_onnx

MAPS = {
    "figure": (
        "cross_attention.audio",
        "cross_attention.video",
        "transformer.audio",
        "transformer.video",
    ),
}
"""Attention maps that are exported as outputs."""


PIXELS = ("figure", "released", "no_channel", "no_spatial", "no_local", "experts")
"""Variants whose pixel front ends differ."""
EXPERTS = "features, statistics heads"
"""`experts` as in the RAVDESS table."""


def settle(model: AVTCA, x: tuple[torch.Tensor, ...]) -> AVTCA:
    """Set batch norms to the statistics of real samples, in evaluation mode."""
    model.train()
    with torch.no_grad():
        for _ in range(5):
            model(*x)
    return model.eval()


def parity(variant: str, ravdess: Path, *, video: str = "features", **sizes: Any) -> dict[str, Any]:
    """Largest difference of ``torch.export``'s and onnxruntime's logits from eager ones."""
    import onnxruntime  # after avtca, which switches its telemetry off

    spec = {"pixels": pixels(64, 4), "features": FEATURES, EXPERTS: PITCH}[video]
    samples, n = (pixel_samples, 2) if video == "pixels" else (feature_samples, 4)
    batch, _ = samples(ravdess, n, spec)
    x = tuple(
        torch.from_numpy(part)
        for part in (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    )
    torch.manual_seed(0)
    if video == EXPERTS:
        sizes |= {"probabilities": 7, "n_segments": 5}
    model = settle(build_model(variant, ModelConfig.for_spec(spec, **sizes)), x)
    maps = MAPS.get(variant, ())
    started = time.process_time()
    exported_program = export_program(model, spec, maps=maps)
    program = exported_program.module()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(exported_program, path, maps=maps)
        size = path.stat().st_size
        session = onnxruntime.InferenceSession(path)
    exported = time.process_time() - started
    worst = {"torch_export": 0.0, "onnxruntime": 0.0, "attention": 0.0}
    silent, unseen = [list(x), list(x)]
    silent[3], unseen[2] = torch.zeros_like(x[3]), torch.zeros_like(x[2])
    for given in (x, tuple(part[:1] for part in x), tuple(silent), tuple(unseen)):
        with torch.inference_mode():
            eager = model(*given, return_attention=True)
        names = dict(zip(INPUTS, (part.numpy() for part in given), strict=True))
        answers = session.run(None, names)
        with torch.inference_mode():
            traced = program(*given)[0]
        for name, values in (("torch_export", traced.numpy()), ("onnxruntime", answers[0])):
            worst[name] = max(worst[name], float(np.abs(values - eager.logits.numpy()).max()))
        for name, values in zip(maps, answers[1:], strict=True):
            found = eager.attention[name]
            wanted = found.weights * found.query_mask[:, None, :, None]
            off = np.abs(values - wanted.numpy()).max()
            worst["attention"] = max(worst["attention"], float(off))
    return {
        "variant": variant,
        "video": video,
        **worst,
        "logits_std": float(eager.logits.std()),
        "onnx_bytes": size,
        "export_cpu_seconds": round(exported, 1),
    }


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=list(VARIANTS))
    shared = Path(os.environ.get("AVTCA_SHARED", root.parent / "shared"))
    parser.add_argument("--ravdess", type=Path, default=shared / "corpora" / "ravdess")
    parser.add_argument("--out", type=Path, default=root / "benchmarks/results/onnx_parity.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for variant in given.variants:
        for video in ("features", "pixels", EXPERTS):
            if video == EXPERTS and variant != "experts":
                continue
            if video == "features" and variant.startswith("no_"):
                continue
            if video == "pixels" and variant not in PIXELS:
                continue
            rows.append(parity(variant, given.ravdess, video=video))
            print(json.dumps(rows[-1]), flush=True)
    result = {
        "what": "largest |difference| of logits from eager PyTorch on real RAVDESS samples",
        "machine": f"{platform.machine()}, one thread, beside other work",
        "versions": {"torch": torch.__version__, "onnxruntime": version("onnxruntime")},
        "rows": rows,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
