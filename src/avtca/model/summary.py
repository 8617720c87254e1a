"""Summary of a network: modules, output shapes, parameters, multiply-adds, sources."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from avtca.clipspec import ClipSpec
from avtca.model import experts, head, pooling
from avtca.model.attention import PassThrough
from avtca.model.audio_statistics import AudioStatisticsHead
from avtca.model.avtca import build_model
from avtca.model.channel_spatial_attention import ChannelSpatialAttention
from avtca.model.chumachenko2022 import IntermediateAttention, LateTransformer
from avtca.model.config import ModelConfig
from avtca.model.cross_attention import CrossAttentions
from avtca.model.export import example_inputs
from avtca.model.frontends import AudioFeatures, MissingModality, VideoFeatures
from avtca.model.inverted_residual import InvertedResidualUnit
from avtca.model.local_features import LocalFeatureExtractor
from avtca.model.network import FusionNetwork
from avtca.model.own_network import OwnNetwork, check_network
from avtca.model.self_attention import SelfAttentions, SharedSelfAttention
from avtca.model.spectral_conv import SpectralConv
from avtca.model.streams import Stream
from avtca.model.temporal_conv import TemporalConv
from avtca.model.time_encoding import TimeEncoding
from avtca.model.transformer_block import TransformerBlocks
from avtca.model.video_statistics import VideoStatisticsHead
from avtca.plugins import is_own

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
    experts.AuxiliaryHeads: "ours: an expert for each stream",
    experts.UtteranceHead: "ours: expert on utterance-level features",
    VideoStatisticsHead: "ours: expert on statistics of video features",
    experts.MomentsHead: "ours: expert on mean and deviation of audio features",
    AudioStatisticsHead: "ours: expert on statistics of pitch, loudness and spectrum",
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
_SILENT = (nn.Identity, nn.Dropout, PassThrough, MissingModality, experts.NoExpert)
"""Modules that are not listed."""


@dataclass(frozen=True)
class Row:
    """A module: name in the network, class, output shapes, sizes, source in the papers."""

    name: str
    kind: str
    shapes: str
    parameters: int
    multiply_adds: int
    source: str


def summarise(variant: str, clip_spec: ClipSpec = PAPER_SIZES, **sizes: Any) -> list[Row]:
    """The modules of ``variant`` in the figure's order, for one window of ``clip_spec``.

    Multiply-adds are those of convolutions, linear maps and attention. Nothing is computed
    (PyTorch's meta device), except in a user's own network, which is checked too.

    Raises:
        ConfigError: For a variant or sizes that do not exist or do not fit together, and as
            :func:`~avtca.model.own_network.check_network`.
    """
    device = "cpu" if is_own(variant) else "meta"
    with torch.device(device):
        model = build_model(variant, ModelConfig.for_spec(clip_spec, **sizes)).eval()
    if isinstance(model, OwnNetwork):
        check_network(model, clip_spec)
    inputs = tuple(x.to(device) for x in example_inputs(clip_spec, batch=1))
    shapes: dict[str, str] = {}
    modules = list(_modules(model))
    with ExitStack() as stack:
        for name, module in modules:
            stack.callback(module.register_forward_hook(_note(shapes, name)).remove)
        counter = stack.enter_context(FlopCounterMode(display=False))
        model(*inputs)
    counts = counter.get_flop_counts()
    rows = [
        Row(
            name,
            type(module).__name__,
            shapes.get(name, ""),
            sum(p.numel() for p in module.parameters()),
            sum(counts.get(f"{type(model).__name__}.{name}", {}).values()) // 2,
            _source(name, module),
        )
        for name, module in modules
    ]
    top = type(model).__name__
    parameters = sum(p.numel() for p in model.parameters()) - totals(rows)[0]
    operations = sum(counts.get(top, {}).values()) // 2 - totals(rows)[1]
    if parameters or operations:  # of a user's network, outside of its modules
        rows.append(Row("network", model.variant, "", parameters, operations, ""))
    return rows


def totals(rows: list[Row]) -> tuple[int, int]:
    """Parameters and multiply-adds of the whole network."""
    return sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)


def _modules(model: FusionNetwork) -> Iterator[tuple[str, nn.Module]]:
    """The figure's steps; in place of the trunk its parts, of a user's network its modules."""
    if isinstance(model, OwnNetwork):
        yield from ((f"network.{name}", part) for name, part in model.network.named_children())
        return
    for name, module in model.named_children():
        trunk = getattr(module, "trunk", None)
        if isinstance(trunk, nn.Module):
            for inner, part in trunk.named_children():
                if isinstance(part, nn.ModuleList):
                    yield from ((f"{name}.trunk.{inner}.{i}", p) for i, p in enumerate(part))
                elif next(part.parameters(), None) is not None:
                    yield f"{name}.trunk.{inner}", part
        elif not isinstance(module, _SILENT):
            yield name, module


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
    if not isinstance(parts, Iterable):
        return ""
    return ", ".join(filter(None, map(_shape, parts)))


def _source(name: str, module: nn.Module) -> str:
    if type(module) in SOURCES:
        return SOURCES[type(module)]
    place = next((part for part in name.split(".") if part in _PLACES), "")
    words = _PLACES.get(place, "")
    first = module[0] if isinstance(module, nn.Sequential) and len(module) else None
    if isinstance(first, TemporalConv | InvertedResidualUnit):
        words = words.replace("x2", f"x{len(module)}")  # type: ignore[arg-type]
    if isinstance(first, InvertedResidualUnit):
        words += f", {len(module)} units"  # type: ignore[arg-type]
    return words
