"""Purpose: package the network of paper.py as `--model avt-ca`, and measure it on whole clips.

    python experiments/attention/package_paper.py FITS CLIPS SHARED

Cost: five minutes. FITS is the output of paper.py, CLIPS the folder of actor 01's clips that
default_model/package.py makes (HEADS_DIR/actor01). The principal components and the batch norm
after them are folded into the first batch norm and convolution, so that the packaged network is the
package's own `figure` on speech tokens; it reads the packaged face network's features. Writes
src/avtca/weights/avt-ca and adds the figures of whole clips to experiments/results/avt_ca.json.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from paper import RESULTS, SEED
from tokens import STRIDE
from train import COMPONENTS, DROPOUT, EVERY, WIDTH, WINDOW_TOKENS

from avtca.labels import CREMAD, SEVEN
from avtca.model.avtca import AVTCA, build_model
from avtca.model.config import Card, ModelConfig
from avtca.model.export_bundle import export_bundle
from avtca.recognize import load
from avtca.runtime.bundle import PACKAGED, PAPER_MODEL

sys.path.append(str(Path(__file__).parents[1] / "default_model"))
from package import audio_of, label_of
from predictions import HELD_OUT
from speech_windows import SPEC


def network_of(fits: Path) -> tuple[AVTCA, AVTCA, dict[str, torch.Tensor]]:
    """The network on components as trained, the packaged one, and the components."""
    with np.load(fits / "weights.npz") as file:
        state = {key: torch.from_numpy(file[key]) for key in file.files}
    parts = {key: state.pop(key) for key in ("components", "centre")}
    sizes: dict[str, Any] = {
        "probabilities": 7,
        "dropout": DROPOUT,
        "video_widths": (WIDTH,) * 4,
        "audio_widths": (WIDTH,) * 4,
        "audio_stride": STRIDE * EVERY,
        "audio_pool": "slide",
        "positions": True,
    }
    spec = replace(SPEC, labels=SEVEN)
    trained = build_model("figure", ModelConfig.for_spec(spec, **sizes), audio_dim=COMPONENTS)
    trained.load_state_dict({k.removeprefix("network."): v for k, v in state.items()})
    packaged = build_model("figure", ModelConfig.for_spec(spec, **sizes))
    fold(trained.eval(), packaged.eval(), **parts)
    return trained, packaged, parts


def fold(trained: AVTCA, packaged: AVTCA, components: torch.Tensor, centre: torch.Tensor) -> None:
    """Give the packaged network the weights, with components and batch norm in the convolution.

    The batch norm becomes ``x - m``; ``m`` is chosen such that the convolution of it gives what
    that of the normalised components gave. Masked steps are zero after both.
    """
    norm = trained.audio_frontend.norm
    state = trained.state_dict()
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).double()
    offset = norm.bias.double() - scale * norm.running_mean.double()
    axes = scale[:, None] * components.double()
    mean = centre.double() - torch.linalg.pinv(axes) @ offset
    state["audio_before.0.conv.weight"] = torch.einsum(
        "oct,cf->oft", state["audio_before.0.conv.weight"].double(), axes
    ).float()
    size = len(mean)
    state["audio_frontend.norm.running_mean"] = mean.float()
    state["audio_frontend.norm.running_var"] = torch.full((size,), 1 - norm.eps)
    state["audio_frontend.norm.weight"] = torch.ones(size)
    state["audio_frontend.norm.bias"] = torch.zeros(size)
    packaged.load_state_dict(state)


@torch.inference_mode()
def parity(trained: AVTCA, packaged: AVTCA, parts: dict[str, torch.Tensor]) -> float:
    """Largest difference of logits on made windows, some steps masked."""
    draw = torch.Generator().manual_seed(0)
    audio = parts["centre"][:, None] + 3 * torch.randn(8, 512, WINDOW_TOKENS, generator=draw)
    video = torch.rand(8, SPEC.video_steps, 7, generator=draw).softmax(2)
    masks = [torch.rand(8, t, generator=draw) < 0.7 for t in (SPEC.video_steps, WINDOW_TOKENS)]
    components = parts["components"] @ (audio - parts["centre"][:, None])
    mine = packaged(video, audio, *masks).logits
    return float((mine - trained(video, components, *masks).logits).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("fits", "clips", "shared"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    trained, packaged, parts = network_of(args.fits)
    difference = parity(trained, packaged, parts)
    print(f"largest difference of logits {difference:.1e}")
    assert difference < 1e-4
    results = json.loads(RESULTS.read_text())
    card = Card(
        variant="figure",
        config=packaged.config,
        clip_spec=replace(SPEC, labels=SEVEN),
        calibration={"temperature": results["temperature"], "sure": results["thresholds"]},
        provenance={
            "data": "RAVDESS and nEMO (CC BY-NC-SA 4.0), EMO-DB (free for research); speech "
            "encoder: Whisper base (MIT)",
            "corpora": ["ravdess", "nemo", "emodb"],
            "train": {"speakers": [f"{n:02d}" for n in range(1, 25) if f"{n:02d}" != HELD_OUT]},
            "terms": "CC BY-NC-SA 4.0, research use; see MODEL_CARD.md",
            "command": "experiments/attention/paper.py",
            "seed": SEED,
        },
        metrics={"ravdess_both": results["protocols"]["both"]},
    )
    folder = PACKAGED / PAPER_MODEL
    export_bundle(folder, name="avt-ca-7", fusion=packaged, card=card)
    recognizer = load(folder, threads=1)
    actor01: dict[str, float] = {}
    for way in ("both", "face", "voice"):
        names = sorted(path.stem for path in (args.clips / "both").glob("*.mkv"))
        right = []
        for name in names:
            clip = args.clips / way / f"{name}.mkv"
            if way == "voice":
                clip = audio_of(args.shared / "corpora" / "ravdess", name)
            right.append(recognizer.predict(clip).top == label_of(name))
        actor01[way] = round(float(np.mean(right)), 4)
    six = {}
    for path in sorted((args.shared / "corpora/cremad").glob("*.flv")):
        report = recognizer.predict(path)
        label = CREMAD[path.stem.split("_")[2]]
        six[path.name] = [label, report.top, round(report.confidence, 3)]
    results |= {
        "actor01": {"samples": len(names), **actor01},
        "cremad_six": sum(label == top for label, top, _ in six.values()),
        "cremad_six_clips": six,
        "size_mb": round(sum(p.stat().st_size for p in folder.iterdir()) / 1e6, 2),
        "parity": difference,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({key: results[key] for key in ("actor01", "cremad_six_clips", "size_mb")}))


if __name__ == "__main__":
    main()
