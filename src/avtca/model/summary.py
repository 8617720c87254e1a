"""What a network is made of: boxes, shapes, parameters, multiply-adds, places in the papers."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from avtca.clipspec import ClipSpec
from avtca.model import head, pooling
from avtca.model.audio_statistics import AudioStatisticsHead, NoAudioStatisticsHead
from avtca.model.avtca import AVTCA
from avtca.model.channel_spatial_attention import ChannelSpatialAttention
from avtca.model.config import ModelConfig
from avtca.model.cross_attention import CrossAttentions
from avtca.model.export import example_inputs
from avtca.model.frontends import AudioFeatures, MissingModality, VideoFeatures
from avtca.model.inverted_residual import InvertedResidualUnit
from avtca.model.local_features import LocalFeatureExtractor
from avtca.model.positions import TimeEncoding
from avtca.model.self_attention import SelfAttentions, SharedSelfAttention
from avtca.model.streams import Stream
from avtca.model.temporal_conv import SpectralConv, TemporalConv
from avtca.model.transformer_block import (
    IntermediateAttention,
    LateTransformer,
    PassThrough,
    TransformerBlocks,
)
from avtca.model.variants import build_model
from avtca.model.video_statistics import NoVideoStatisticsHead, VideoStatisticsHead

PAPER_SIZES = ClipSpec(labels=("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "?"))
"""The released input: 15 RGB crops of 224 px and 10 MFCCs over 3.6 s, eight emotions."""

SOURCES: dict[type[nn.Module], str] = {
    VideoFeatures: "in place of steps 1-3",
    AudioFeatures: "audio input",
    ChannelSpatialAttention: "figure, step 2: channel x spatial attention",
    LocalFeatureExtractor: "figure, step 2: local feature extractor",
    TransformerBlocks: "figure, step 4: transformer block, added",
    IntermediateAttention: "Chumachenko 2022: intermediate attention",
    LateTransformer: "Chumachenko 2022: late transformer",
    SelfAttentions: "figure, step 6: self attention, added",
    SharedSelfAttention: "released code, for step 6: one for both, q = k = v",
    CrossAttentions: "figure, step 7: cross attention",
    SpectralConv: "ours, for step 1: convolution over time and frequency",
    TimeEncoding: "ours: sinusoids of each token's time",
    head.AuxiliaryHeads: "ours: each modality on its own",
    head.UtteranceHead: "ours: what is said of a whole sample, an expert of its own",
    VideoStatisticsHead: "ours: statistics of the face features, an expert of its own",
    AudioStatisticsHead: "ours: statistics of pitch, loudness and spectrum, an expert of its own",
    head.Sum: "figure, step 9: sum, fully connected",
    head.Concatenation: "released code, for step 9: concatenation, fully connected",
    head.Gated: "ours, for step 9: gated sum, fully connected",
    head.Late: "ours, for step 9: gated sum plus each modality's log-posterior",
    head.Product: "ours, for step 9: product of the experts",
    head.MeanPosterior: "baseline, for step 9: mean of two posteriors",
    head.AudioOnly: "baseline: fully connected",
    head.VideoOnly: "baseline: fully connected",
    pooling.MaxPool: "figure, step 8: max pool over time",
    pooling.MeanPool: "released code, for step 8: mean over time",
    pooling.AttentivePool: "ours, for step 8: learned weights over time",
}
_PLACES = {
    "video_before": "figure, step 3: [conv 3, BN, ReLU] x2",
    "audio_before": "figure, step 1: [conv 3, BN, ReLU, max pool] x2",
    "video_after": "figure, step 5: [conv 3, BN, ReLU] x2",
    "audio_after": "figure, step 5: [conv 3, BN, ReLU, max pool] x2",
    "stem": "figure, step 1: conv 3x3 + max pool",
    "stages": "figure, step 3: inverted residual block",
    "project": "EfficientFace: conv 1x1",
}
_SILENT = (
    nn.Identity,
    nn.Dropout,
    PassThrough,
    MissingModality,
    head.NoAuxiliaryHeads,
    head.NoUtteranceHead,
    NoAudioStatisticsHead,
    NoVideoStatisticsHead,
)


@dataclass(frozen=True)
class Row:
    """One box: its name in the network, class, output shapes, sizes, place in the papers."""

    name: str
    kind: str
    shapes: str
    parameters: int
    multiply_adds: int
    source: str


def summarise(variant: str, clip_spec: ClipSpec = PAPER_SIZES, **sizes: Any) -> list[Row]:
    """The boxes of ``variant`` in the figure's order, for one window of ``clip_spec``.

    Multiply-adds are those of convolutions, linear maps and attention; nothing is computed
    (PyTorch's meta device). Raises :class:`~avtca.errors.ConfigError` for sizes that do not fit.
    """
    with torch.device("meta"):
        model = build_model(variant, ModelConfig.for_spec(clip_spec, **sizes)).eval()
        inputs = tuple(x.to("meta") for x in example_inputs(clip_spec, batch=1))
    shapes: dict[str, str] = {}
    boxes = list(_boxes(model))
    with ExitStack() as stack:
        for name, box in boxes:
            stack.callback(box.register_forward_hook(_note(shapes, name)).remove)
        counter = stack.enter_context(FlopCounterMode(display=False))
        model(*inputs)
    counts = counter.get_flop_counts()
    return [
        Row(
            name,
            type(box).__name__,
            shapes.get(name, ""),
            sum(p.numel() for p in box.parameters()),
            sum(counts.get(f"AVTCA.{name}", {}).values()) // 2,
            _source(name, box),
        )
        for name, box in boxes
    ]


def totals(rows: list[Row]) -> tuple[int, int]:
    """Parameters and multiply-adds of the whole network."""
    return sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)


def _boxes(model: AVTCA) -> Iterator[tuple[str, nn.Module]]:
    """The figure's boxes; the trunk's own are listed in its place."""
    for name, box in model.named_children():
        trunk = getattr(box, "trunk", None)
        if isinstance(trunk, nn.Module):
            for inner, part in trunk.named_children():
                if isinstance(part, nn.ModuleList):
                    yield from ((f"{name}.trunk.{inner}.{i}", p) for i, p in enumerate(part))
                elif next(part.parameters(), None) is not None:
                    yield f"{name}.trunk.{inner}", part
        elif not isinstance(box, _SILENT):
            yield name, box


def _note(shapes: dict[str, str], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        shapes[name] = _shape(output)

    return hook


def _shape(output: Any) -> str:
    if isinstance(output, Stream):
        return _shape(output.tokens)
    if isinstance(output, Tensor):
        return " x ".join(str(size) for size in output.shape[1:])
    parts = output.values() if isinstance(output, dict) else output
    return ", ".join(_shape(part) for part in parts)


def _source(name: str, box: nn.Module) -> str:
    if type(box) in SOURCES:
        return SOURCES[type(box)]
    place = next((part for part in name.split(".") if part in _PLACES), "")
    words = _PLACES.get(place, "")
    first = box[0] if isinstance(box, nn.Sequential) and len(box) else None
    if isinstance(first, TemporalConv | InvertedResidualUnit):
        words = words.replace("x2", f"x{len(box)}")  # type: ignore[arg-type]
    if isinstance(first, InvertedResidualUnit):
        words += f", {len(box)} units"  # type: ignore[arg-type]
    return words
