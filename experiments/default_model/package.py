"""Purpose: build the packaged model from its heads and face network, measure it, and write it.

    python experiments/default_model/package.py FACE_DIR HEADS_DIR SHARED OUT

FACE_DIR and HEADS_DIR are outputs of faces.py (or face_gpu.py) and heads.py. Alignment: the face
head was fitted on the softmax of another face network, so a linear map brings our seven logits to
its scale. It is fitted on images of actor 01 for which both outputs are known. Maps are compared by
fitting on one half of the samples and testing on the other; the one with the largest sum of
accuracies (both streams, face alone) is used. Writes the bundle into OUT, the figures into
experiments/results/default_model.json, and the predictions behind them into
experiments/results/default_model.
"""

import argparse
import json
import math
import shutil
import zipfile
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from face_training import load_ferplus, network_of
from faster_face import rewrite
from heads import SUMS
from linear import N_SEGMENTS, Linear
from PIL import Image
from predictions import HELD_OUT, KEPT, RESULTS, SampleTable, figures, ravdess_groups
from safetensors.torch import load_file
from speech_windows import SPEC
from torch.nn import functional as F

from avtca import preprocess
from avtca.clipspec import MIN_PROB, ClipSpec
from avtca.corpora.ravdess import FRAME_RATE
from avtca.faces import Detector, align, best_detector
from avtca.image import ArrayImage
from avtca.labels import CREMAD, FER2013, FERPLUS, RAVDESS, SEVEN, order_map, to_seven
from avtca.media import Frame, hold_frames, open_media
from avtca.model import build_model
from avtca.model.avtca import AVTCA
from avtca.model.config import Card, ModelConfig
from avtca.model.ensemble import Ensemble
from avtca.model.export_bundle import export_bundle
from avtca.model.expression import ExpressionFeatures, ExpressionNetwork
from avtca.recognize import Recognizer, load

ORDER = order_map(FERPLUS, FER2013)
COMMANDS = {
    "ferplus_test": "experiments/default_model/face_gpu.py",
    "protocols": "experiments/default_model/heads.py",
    "groups": "experiments/default_model/predictions.py",
    "actor01": "experiments/default_model/package.py",
    "cremad_six": "experiments/default_model/package.py",
    "size_mb": "experiments/default_model/package.py",
}
"""Script behind each figure."""
ACTOR_01 = "actor01_faces.zip"
"""Images of actor 01, in the corpus folder."""


def audio_of(ravdess: Path, sample: str) -> Path:
    """A sample's audio: the audio-only file of the same name."""
    return ravdess / "audio" / f"03{sample[2:]}.flac"


def label_of(sample: str) -> str:
    """Label of a sample, one of seven."""
    return str(to_seven(RAVDESS[int(sample.split("-")[2]) - 1]))


def face_network(folder: Path) -> tuple[ExpressionNetwork, dict[str, Any]]:
    """The network written by faces.py or face_gpu.py, and its card."""
    card = json.loads((folder / "face.json").read_text())
    network = network_of(card)
    network.load_state_dict(load_file(folder / "face.safetensors"))
    return network.eval(), card


def pictures(archive: Path) -> dict[str, list[bytes]]:
    """JPEG files of each sample of actor 01, in order."""
    out: dict[str, list[bytes]] = {}
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".jpg"):
                out.setdefault(name.split("/")[0], []).append(files.read(name))
    return out


def make_clip(path: Path, frames: list[bytes], audio: Path | None, seconds: float) -> None:
    """Write a sample's images, evenly over its duration, and its audio without loss."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=1000)
        video.pix_fmt, video.width, video.height = "gray", 224, 224
        video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        stream = out.add_stream("flac", rate=16_000) if audio is not None else None
        for i, data in enumerate(frames):
            picture = np.asarray(Image.open(BytesIO(data)).convert("L"))
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts = round((i + 0.5) / len(frames) * seconds * 1000)
            frame.time_base = video.codec_context.time_base
            out.mux(video.encode(frame))
        out.mux(video.encode())
        if stream is not None:
            with av.open(str(audio)) as source:
                for block in source.decode(audio=0):
                    out.mux(stream.encode(block))
            out.mux(stream.encode())


class Sample(NamedTuple):
    """One sample of actor 01: outputs of our and the published face network, and its audio."""

    steps: np.ndarray
    """Video steps of the images, ``(n,)``."""
    logits: torch.Tensor
    """Our centred logits of each image, ``(n, 7)``."""
    known: torch.Tensor
    """Positions of images for which the published softmax is known, ``(m,)``."""
    published: torch.Tensor
    """That softmax, ``(m, 7)``."""
    wave: np.ndarray
    seconds: float

    @property
    def frames(self) -> list[Frame]:
        """Steps of the images, without pixels."""
        return [
            Frame(int(step), 0.0, ArrayImage(np.zeros((0, 0, 3), np.uint8))) for step in self.steps
        ]


def read_sample(
    network: ExpressionNetwork,
    detector: Detector,
    files: list[bytes],
    series: tuple[np.ndarray, np.ndarray],
    audio: Path,
    spec: ClipSpec,
) -> Sample:
    """``series``: frame numbers and softmax of the published network."""
    wave = np.concatenate(list(open_media(audio).audio(spec.sample_rate)))
    seconds = len(wave) / spec.sample_rate
    times = (series[0] - 1) / FRAME_RATE
    steps, crops, known, published = [], [], [], []
    for i, data in enumerate(files):
        rgb = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
        found = detector.detect(rgb)
        if not found:
            continue
        moment = (i + 0.5) / len(files) * seconds
        nearest = int(np.abs(times - moment).argmin())
        if abs(times[nearest] - moment) <= 0.04:
            known.append(len(steps))
            published.append(series[1][nearest])
        steps.append(int(moment * spec.video_rate))
        crops.append(align(rgb, found[0].landmarks, 48, "grey"))
    with torch.no_grad():
        logits = network(torch.from_numpy(np.stack(crops))[:, None].float() / 255)[:, ORDER]
    return Sample(
        np.array(steps),
        logits - logits.mean(1, keepdim=True),
        torch.tensor(known),
        torch.from_numpy(np.stack(published).astype(np.float32)),
        wave,
        seconds,
    )


def read_samples(network: ExpressionNetwork, ravdess: Path, spec: ClipSpec) -> dict[str, Sample]:
    """All samples of actor 01 that have images."""
    detector = best_detector()
    with np.load(ravdess / "face_sequences.npz") as series:
        return {
            sample: read_sample(
                network,
                detector,
                files,
                (series[f"{sample}/frames"], series[f"{sample}/p"]),
                audio_of(ravdess, sample),
                spec,
            )
            for sample, files in pictures(ravdess / ACTOR_01).items()
        }


def names(
    fusion: Ensemble,
    spec: ClipSpec,
    sample: Sample,
    bridge: tuple[torch.Tensor, torch.Tensor],
    way: str,
) -> str:
    """Label predicted by the two networks, windowed as in the package."""
    features = torch.softmax(sample.logits @ bridge[0].T + bridge[1], 1).numpy()
    shown = [frame.step for frame in hold_frames(sample.frames, spec.video_rate)]
    features = features[np.searchsorted(sample.steps, shown, side="right") - 1]
    windows = []
    for start in preprocess.window_start_steps(sample.seconds, spec):
        first = round(start / spec.video_rate * spec.sample_rate)
        wave = sample.wave[first : first + spec.window_samples]
        audio = preprocess.audio_window(wave, spec, valid=0 if way == "face" else None)
        windows.append((*preprocess.video_window(np.array(shown), features, start, spec), *audio))
    batch = preprocess.stack(windows)
    arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    with torch.no_grad():
        logits = fusion(*(torch.from_numpy(part) for part in arrays)).logits
    return SEVEN[int(torch.softmax(logits, 1).mean(0).argmax())]


def fit_bridge(
    data: list[Sample], kind: str, log_prior: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the map.

    "plain" is the identity; "prior" removes the label frequencies of FERPlus; "shift", "diagonal"
    and "linear" are fitted to the published softmax, frame by frame; "moments" gives each logit
    the mean and deviation of the published logarithms over all frames.
    """
    n = len(FER2013)
    if kind == "moments":
        ours = torch.cat([sample.logits for sample in data])
        theirs = torch.cat([sample.published for sample in data]).clamp(min=MIN_PROB).log()
        theirs = theirs - theirs.mean(1, keepdim=True)
        scale = theirs.std(0) / ours.std(0)
        return torch.diag(scale), theirs.mean(0) - ours.mean(0) * scale
    if kind == "plain":
        return torch.eye(n), torch.zeros(n)
    if kind == "prior":
        return torch.eye(n), -log_prior
    z = torch.cat([sample.logits[sample.known] for sample in data])
    p = torch.cat([sample.published for sample in data])
    scale = torch.zeros(1 if kind == "shift" else n, requires_grad=True)
    rest = torch.zeros(n, n, requires_grad=True)
    bias = torch.zeros(n, requires_grad=True)
    chosen = {"shift": [scale, bias], "diagonal": [scale, bias], "linear": [scale, bias, rest]}
    optimiser = torch.optim.LBFGS(chosen[kind], max_iter=200)

    def weight() -> torch.Tensor:
        return torch.diag(torch.exp(scale).expand(n)) + rest

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(z @ weight().T + bias, p)
        loss = loss + 0.02 * (rest.square().sum() + bias.square().sum() + scale.square().sum())
        loss.backward()
        return loss

    optimiser.step(closure)
    return weight().detach(), bias.detach()


def fusion_network(heads: dict[str, Linear], chosen: dict[str, Any]) -> tuple[AVTCA, Ensemble]:
    """The network of eight labels, and the packaged one: seven labels, calibrated.

    The exponents of the product become the audio weight and a temperature for each input. That of
    audio alone is for other corpora: the mean, in logarithms, over the corpora left out.
    """
    exponents, away = chosen["exponents"], chosen["left_out"]
    audio, face = exponents["audio+face"]
    config = ModelConfig.for_spec(SPEC, n_segments=N_SEGMENTS, probabilities=7)
    network = build_model("statistics", config, audio_weight=audio / face).eval()
    experts = {
        "audio": network.audio_statistics.expert,
        "face": network.video_statistics.expert,
    }
    for name, head in heads.items():
        expert = experts[name]
        variance = torch.from_numpy(np.square(head.scale)) - expert.norm.eps
        expert.norm.running_mean.copy_(torch.from_numpy(head.mean))
        expert.norm.running_var.copy_(variance)
        expert.linear.weight.data.copy_(torch.from_numpy(head.weight.T))
        expert.linear.bias.data.copy_(torch.from_numpy(head.bias))
    unseen = math.exp(np.mean([math.log(one["exponent"]) for one in away.values()]))
    alone = audio / face / unseen, 1 / exponents["face"][0]
    sums = torch.from_numpy(SUMS[SEVEN])
    return network, Ensemble([network], sums, (1 / face, *alone)).eval()


def read_heads(folder: Path) -> tuple[dict[str, Linear], dict[str, Any]]:
    """The packaged heads and what heads.py chose."""
    with np.load(folder / "heads.npz") as file:
        parts = {name: file[name] for name in file.files}
    heads = {
        name: Linear(*(parts[f"{name}/{part}"] for part in ("mean", "scale", "weight", "bias")))
        for name in ("audio", "face")
    }
    return heads, json.loads((folder / "figures.json").read_text())["packaged"]


def main() -> None:
    """Compare the maps, write the package, measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("face_dir", "heads_dir", "shared", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    ravdess = args.shared / "corpora" / "ravdess"
    samples = pictures(ravdess / ACTOR_01)
    work = args.heads_dir / "actor01"
    shutil.rmtree(work, ignore_errors=True)
    clips: dict[str, dict[str, Path]] = {"both": {}, "face": {}, "voice": {}}
    for way in ("both", "face"):
        (work / way).mkdir(parents=True)
    for sample, files in samples.items():
        audio = audio_of(ravdess, sample)
        clips["voice"][sample] = audio
        for way in ("both", "face"):
            clips[way][sample] = work / way / f"{sample}.mkv"
            seconds = open_media(audio).duration_s
            make_clip(clips[way][sample], files, audio if way == "both" else None, seconds)

    network, card_face = face_network(args.face_dir)
    heads, chosen = read_heads(args.heads_dir)
    start, fusion = fusion_network(heads, chosen)
    spec = replace(SPEC, labels=SEVEN)
    everyone = SampleTable.load(args.heads_dir / "predictions" / "ravdess_both.npz")
    speakers = sorted({str(name).partition("/")[2] for name in everyone.speakers} - {HELD_OUT})
    card = Card(
        variant="statistics",
        config=start.config,
        clip_spec=spec,
        calibration={"temperature": 1.0, "sure": thresholds(chosen)},
        provenance={
            "data": "FERPlus (MIT; pictures for research), RAVDESS and nEMO (CC BY-NC-SA 4.0), "
            "EMO-DB (free for research); speech encoder: Whisper base (MIT)",
            "corpora": ["ferplus", "ravdess", "nemo", "emodb"],
            "train": {"speakers": speakers},
            "terms": "CC BY-NC-SA 4.0, research use; see MODEL_CARD.md",
            "command": "experiments/default_model.sh",
            "chosen": {name: chosen[name] for name in ("settings", "exponents")},
        },
    )
    known = read_samples(network, ravdess, spec)
    train, _, test = load_ferplus(args.shared / "corpora" / "ferplus" / "ferplus.npz")
    log_prior = torch.from_numpy(np.log(train.votes.mean(0)[ORDER])).float()
    halves = [sorted(known)[0::2], sorted(known)[1::2]]
    crossed: dict[str, dict[str, float]] = {}
    for kind in ("plain", "prior", "shift", "diagonal", "linear", "moments"):
        right: dict[str, list[bool]] = {"both": [], "face": []}
        for fit_on, test_on in (halves, halves[::-1]):
            bridge = fit_bridge([known[sample] for sample in fit_on], kind, log_prior)
            for way, hits in right.items():
                for sample in test_on:
                    named = names(fusion, spec, known[sample], bridge, way)
                    hits.append(named == label_of(sample))
        crossed[kind] = {way: float(np.mean(hits)) for way, hits in right.items()}
        print(kind, crossed[kind], flush=True)
    best = max(crossed, key=lambda kind: sum(crossed[kind].values()))

    def bundle(folder: Path, fit_on: list[str]) -> Recognizer:
        weight, bias = fit_bridge([known[sample] for sample in fit_on], best, log_prior)
        face = ExpressionFeatures(network, weight=weight, bias=bias).eval()
        aligned = {"weight": weight.tolist(), "bias": bias.tolist()}
        extra = {"bridge": {"kind": best, "compared": crossed, **aligned}}
        first = start, SPEC
        export_bundle(
            folder, name="avtca-7", fusion=fusion, card=card, start=first, face=face, extra=extra
        )
        rewrite(folder)
        return load(folder, threads=1)

    tops: dict[str, dict[str, str | None]] = {way: {} for way in clips}
    for fit_on, test_on in (halves, halves[::-1]):
        recognizer = bundle(work / "half", fit_on)
        for way, found in tops.items():
            found |= {t: recognizer.predict(clips[way][t]).top for t in test_on}
    actor01 = {
        way: round(float(np.mean([top == label_of(t) for t, top in found.items()])), 4)
        for way, found in tops.items()
    }
    print("whole recognizer", actor01, flush=True)
    tables = {path.stem: path for path in sorted((args.heads_dir / "predictions").glob("*.npz"))}
    protocols = {name: figures(SampleTable.load(path)) for name, path in tables.items()}
    card.metrics.update(face=card_face, ravdess_both=protocols["ravdess_both"])
    recognizer = bundle(args.out, sorted(known))
    cremad = {
        p: CREMAD[p.stem.split("_")[2]] for p in (args.shared / "corpora/cremad").glob("*.flv")
    }
    six = {p.name: (label, recognizer.predict(p)) for p, label in cremad.items()}
    results = {
        "command": "experiments/default_model.sh",
        "commands": COMMANDS,
        "ferplus_test": card_face["test_accuracy"],
        "ferplus_test_pictures": len(test.images),
        "protocols": protocols,
        "groups": ravdess_groups(everyone),
        "chosen": json.loads((args.heads_dir / "figures.json").read_text()),
        "actor01": {
            "samples": len(samples),
            **actor01,
            "predicted": tops,
            "bridge": best,
            "bridges": crossed,
            "note": "both and face: bridge fitted on one half of the samples, tested on the other",
        },
        "cremad_six": sum(label == report.top for label, report in six.values()),
        "cremad_six_clips": {
            name: [label, report.top, round(report.confidence, 3)]
            for name, (label, report) in six.items()
        },
        "size_mb": round(sum(p.stat().st_size for p in args.out.iterdir()) / 1e6, 2),
        "labels": list(SEVEN),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    for path in tables.values():
        shutil.copyfile(path, KEPT / path.name)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    shown = {key: results[key] for key in ("actor01", "cremad_six_clips", "size_mb")}
    print(json.dumps(shown, indent=1))


def thresholds(chosen: dict[str, Any]) -> dict[str, float]:
    """Confidence thresholds by input: of the folds, for audio alone the strictest left-out corpus.

    1 where no confidence reaches the target: such predictions never count as confident.
    """
    found = dict(chosen["thresholds"])
    away = [one["threshold"] for one in chosen["left_out"].values()]
    found["voice"] = None if None in away else max(away)
    return {name: 1.0 if value is None else value for name, value in found.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
