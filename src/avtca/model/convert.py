"""Conversion of published weights: EfficientFace, the released AVT-CA, its parent's fusions.

Names and shapes were read from the public repositories zengqunzhao/EfficientFace,
katerynaCh/multimodal-emotion-recognition and shravan-18/AVTCA.
"""

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avtca import labels as label_sets
from avtca.clipspec import ClipSpec
from avtca.errors import CheckpointError
from avtca.model.avtca import build_model
from avtca.model.config import ModelConfig
from avtca.model.network import FusionNetwork
from avtca.model.variants import variant_named

State = dict[str, Tensor]
EFFICIENTFACE = "EfficientFace"
"""Kind of a file with the video trunk and its classifier only."""
_TRUNK = "video_frontend.trunk."


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        kind: :data:`EFFICIENTFACE` or the variant that the file is for.
        model: The network with the converted weights, in evaluation mode.
        clip_spec: Its model input.
        converted: Tensor of the file -> parameter of the network.
        unused: Tensor of the file -> why it was not used.
        untrained: Parameters of the network that are not in the file and keep random values.
    """

    kind: str
    model: FusionNetwork
    clip_spec: ClipSpec
    converted: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    untrained: list[str] = field(default_factory=list)


def convert(
    source: str | Path,
    variant: str,
    *,
    heads: int | None = None,
    labels: tuple[str, ...] | None = None,
) -> Conversion:
    """Convert a published weights file to one of our networks.

    Args:
        source: A ``.pth`` or ``.pth.tar`` file. EfficientFace's fills the trunk of any variant
            that reads pixels, as far as shapes agree; one of the released code must be for
            ``variant``.
        variant: The network.
        heads: Attention heads, which the file does not contain; by default 8 for AVT-CA's code and
            1 for its parent's.
        labels: Names of the outputs; by default RAVDESS's if there are eight.

    Raises:
        CheckpointError: If the file is of another kind, or does not fit.
    """
    source = Path(source)
    action = f"convert {source} to {variant}"
    variant_named(variant)
    state = read_state(source)
    kind = kind_of(state, action)
    if kind == EFFICIENTFACE:
        labels = labels or label_sets.RAVDESS
        model = build_model(variant, ModelConfig(n_labels=len(labels), heads=heads))
        if not hasattr(model.video_frontend, "trunk"):
            raise CheckpointError(
                action, f"{variant} does not read pixels", "choose another variant"
            )
    else:
        if kind != variant:
            raise CheckpointError(action, f"the file holds {kind}", f"give --to {kind}")
        n_labels = len(state["classifier_1.0.bias"])
        labels = labels or _labels_for(n_labels)
        if len(labels) != n_labels:
            found = f"{len(labels)} labels for {n_labels} outputs"
            raise CheckpointError(action, found, f"name {n_labels} labels")
        if heads is None and kind != "released" and any(k.startswith("final") for k in state):
            heads = 8
        model = build_model(variant, ModelConfig(n_labels=n_labels, heads=heads))
    spec = ClipSpec(labels=labels)
    result = Conversion(kind, model.eval(), spec)
    _fill(result, state, action)
    return result


def read_state(path: Path) -> State:
    """The state dict in a ``.pth`` file, without ``module.`` prefixes.

    Only tensors and plain values are unpickled (``weights_only=True``). Objects of the training
    script and of NumPy (EfficientFace saved its meters) are replaced by empty placeholders.

    Raises:
        CheckpointError: If the file is missing, damaged, or refers to any other code.
    """
    action = f"read {path}"
    if not path.is_file():
        found = "it is a folder" if path.is_dir() else "no such file"
        raise CheckpointError(action, found, "name a .pth or .pth.tar file")
    try:
        with torch.serialization.safe_globals(_placeholders(path, action)):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        line = str(error).strip().splitlines()[0][:120] if str(error).strip() else "broken"
        line = "more, or other, than plain tensors" if "Weights only" in line else line
        raise CheckpointError(
            action, f"not a readable PyTorch file ({line})", "download it again"
        ) from None
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not any(isinstance(v, Tensor) for v in loaded.values()):
        raise CheckpointError(
            action, f"holds a {type(loaded).__name__} without tensors", "name a state dict"
        )
    return {
        str(name).removeprefix("module."): value
        for name, value in loaded.items()
        if isinstance(value, Tensor)
    }


class _Placeholder:
    """In place of an object in the file that is not needed."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _placeholders(path: Path, action: str) -> list[Any]:
    """Placeholders for the harmless classes in a file."""
    if not zipfile.is_zipfile(path):
        return []
    names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    foreign = [n for n in names if n.split(".")[0] not in ("__main__", "utils", "numpy")]
    if foreign:
        raise CheckpointError(
            action,
            f"it would run foreign code ({', '.join(foreign[:3])})",
            "do not trust this file; ask its author for a plain state dict",
        )
    return [(type("Placeholder", (_Placeholder,), {}), name) for name in names]


def kind_of(state: State, action: str) -> str:
    """``EFFICIENTFACE`` or the variant that a state dict belongs to."""
    if "audio_model.conv1d_0.0.weight" in state and "classifier_1.0.bias" in state:
        if "av.norm1_q.weight" in state:
            return "late_transformer"
        if "av1.norm1_q.weight" in state:
            has_final = "finalAttention.in_proj_weight" in state
            return "released" if has_final else "intermediate_transformer"
        if "av1.q.weight" in state:
            return "intermediate_attention"
    elif (
        "conv5.0.weight" in state and "modulator.spatial_att.gate_s.gate_s_conv_final.bias" in state
    ):
        return EFFICIENTFACE
    raise CheckpointError(
        action,
        f"names of no known network ({', '.join(list(state)[:3])}, ...)",
        "give EfficientFace, AVT-CA or Chumachenko 2022 weights",
    )


def key_map(kind: str) -> dict[str, list[str]]:
    """Tensor of the file -> our parameters; if several, they are consecutive rows of the tensor."""
    trunk = "" if kind == EFFICIENTFACE else "visual_model."
    pairs = {f"{trunk}{theirs}": [f"{_TRUNK}{ours}"] for theirs, ours in _trunk_names()}
    if kind == EFFICIENTFACE:
        return pairs
    for branch, ours in (("audio_model", "audio"), ("visual_model", "video")):
        for index in range(4):
            place = f"{ours}_{'before' if index < 2 else 'after'}.{index % 2}"
            for layer, part in ((0, "conv"), (1, "norm")):
                for leaf in ("weight", "bias") if layer == 0 else _NORM:
                    theirs = f"{branch}.conv1d_{index}.{layer}.{leaf}"
                    pairs[theirs] = [f"{place}.{part}.{leaf}"]
    pairs |= {theirs: list(targets) for theirs, targets in _fusion_names(kind)}
    for leaf in ("weight", "bias"):
        pairs[f"classifier_1.0.{leaf}"] = [f"head.linear.{leaf}"]
    return pairs


_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _trunk_names() -> Iterator[tuple[str, str]]:
    """EfficientFace's tensors and those of :class:`~avtca.model.video_trunk.VideoTrunk`."""

    def conv(theirs: str, ours: str, *leaves: str) -> Iterator[tuple[str, str]]:
        for leaf in leaves or ("weight",):
            yield f"{theirs}.{leaf}", f"{ours}.{leaf}"

    def conv_bn(their_conv: str, their_norm: str, ours: str, at: int) -> Iterator[tuple[str, str]]:
        yield from conv(their_conv, f"{ours}.{at}")
        yield from conv(their_norm, f"{ours}.{at + 1}", *_NORM)

    yield from conv_bn("conv1.0", "conv1.1", "stem", 0)
    yield from conv_bn("conv5.0", "conv5.1", "project", 0)
    for stage, units in enumerate((4, 8, 4)):
        for unit in range(units):
            theirs, ours = f"stage{stage + 2}.{unit}", f"stages.{stage}.{unit}"
            layers = {"branch2": (0, 3, 5)} | ({"branch1": (0, 2)} if unit == 0 else {})
            for branch, places in layers.items():
                for at in places:
                    there = f"{theirs}.{branch}"
                    yield from conv_bn(f"{there}.{at}", f"{there}.{at + 1}", f"{ours}.{branch}", at)
    for patch, quadrant in ((1, 0), (2, 2), (3, 1), (4, 3)):  # theirs run down, ours across
        for layer, at in ((1, 0), (2, 3)):
            yield from conv_bn(
                f"local.conv{patch}_{layer}",
                f"local.bn{patch}_{layer}",
                f"local.quadrants.{quadrant}",
                at,
            )
    gate = "modulator.channel_att.gate_c.gate_c_"
    yield from conv(f"{gate}fc_0", "attention.channel.mlp.0", "weight", "bias")
    yield from conv(f"{gate}bn_1", "attention.channel.mlp.1", *_NORM)
    yield from conv(f"{gate}fc_final", "attention.channel.mlp.3", "weight", "bias")
    gate = "modulator.spatial_att.gate_s.gate_s_"
    for place, step in ((0, "reduce0"), (3, "di_0"), (6, "di_1")):
        ours = "attention.spatial.conv"
        yield from conv(f"{gate}conv_{step}", f"{ours}.{place}", "weight", "bias")
        yield from conv(f"{gate}bn_{step}", f"{ours}.{place + 1}", *_NORM)
    yield from conv(f"{gate}conv_final", "attention.spatial.conv.9", "weight", "bias")


def _fusion_names(kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The attention layers; ``av`` has audio queries, ``va`` video queries."""
    if kind == "intermediate_attention":
        for theirs, ours in (("av1", "audio"), ("va1", "video")):
            yield f"{theirs}.q.weight", (f"transformer.{ours}.query.weight",)
            yield f"{theirs}.kv.weight", (f"transformer.{ours}.key.weight", "")
        return
    late = kind == "late_transformer"
    box, digit = ("cross_attention", "") if late else ("transformer", "1")
    for theirs, ours in (("av", "audio"), ("va", "video")):
        there, here = f"{theirs}{digit}", f"{box}.{ours}"
        attention = f"{here}.attention"
        yield f"{there}.attn.q.weight", (f"{attention}.weigh.query.weight",)
        yield (
            f"{there}.attn.kv.weight",
            (f"{attention}.weigh.key.weight", f"{attention}.value.weight"),
        )
        for leaf in ("weight", "bias"):
            yield f"{there}.norm1_q.{leaf}", (f"{here}.norm_query.{leaf}",)
            yield f"{there}.norm1_k.{leaf}", (f"{here}.norm_key.{leaf}",)
            yield f"{there}.norm2.{leaf}", (f"{here}.norm_out.{leaf}",)
            yield f"{there}.attn.proj.{leaf}", (f"{attention}.project.{leaf}",)
            yield f"{there}.mlp.fc1.{leaf}", (f"{here}.mlp.0.{leaf}",)
            yield f"{there}.mlp.fc2.{leaf}", (f"{here}.mlp.2.{leaf}",)
    if kind == "released":
        attention = "self_attention.attention"
        for leaf in ("weight", "bias"):
            yield (
                f"finalAttention.in_proj_{leaf}",
                tuple(f"{attention}.{p}.{leaf}" for p in ("weigh.query", "weigh.key", "value")),
            )
            yield f"finalAttention.out_proj.{leaf}", (f"{attention}.project.{leaf}",)


def _fill(result: Conversion, state: State, action: str) -> None:
    """Copy the tensors that fit into the model and record the others."""
    ours = result.model.state_dict()
    names = key_map(result.kind)
    filled: set[str] = set()
    for theirs, value in state.items():
        targets = names.get(theirs)
        if targets is None:
            result.unused[theirs] = _why_unused(theirs)
            continue
        if len(targets) > 1 and (value.ndim == 0 or len(value) % len(targets)):
            result.unused[theirs] = f"shape {tuple(value.shape)}, not {len(targets)} parts"
            continue
        parts = value.chunk(len(targets)) if len(targets) > 1 else (value,)
        wanted = [(name, part) for name, part in zip(targets, parts, strict=True) if name]
        wrong = [n for n, part in wanted if n not in ours or ours[n].shape != part.shape]
        if wrong:
            there = tuple(ours[wrong[0]].shape) if wrong[0] in ours else None
            result.unused[theirs] = (
                f"shape {tuple(value.shape)}, {wrong[0]} has {there}"
                if there is not None
                else f"{result.model.variant} has no {_module_of(wrong[0])}"
            )
            continue
        for name, part in wanted:
            ours[name].copy_(part)
            filled.add(name)
        result.converted[theirs] = " + ".join(name for name, _ in wanted)
    result.untrained.extend(name for name in ours if name not in filled)
    if result.kind != EFFICIENTFACE:
        missing = [n for n in result.untrained if not n.endswith("num_batches_tracked")]
        if missing:
            known = (f"; {k}: {why}" for k, why in result.unused.items() if why.startswith("shape"))
            raise CheckpointError(
                action,
                f"nothing in the file fits {missing[0]} ({len(missing)} such){next(known, '')}",
                "give a complete state dict of the published sizes",
            )


def _module_of(name: str) -> str:
    """The module of a parameter; for the trunk, its part."""
    part = re.match(re.escape(_TRUNK) + r"(stages\.\d+|\w+)", name)
    return part[0] if part else name.partition(".")[0]


def _why_unused(name: str) -> str:
    if name.startswith(("audio_model.classifier", "visual_model.classifier")):
        return "a classifier that the released forward pass never calls"
    if name.startswith("finalAttention"):
        return "created for every fusion, called in 'it' only"
    if name.startswith("fc."):
        return "EfficientFace's classifier of AffectNet's seven expressions"
    if name.startswith(("av1.proj", "va1.proj")):
        return "this fusion uses the attention weights only"
    return "this network has no such module"


def _labels_for(n_labels: int) -> tuple[str, ...]:
    if n_labels == len(label_sets.RAVDESS):
        return label_sets.RAVDESS
    return tuple(f"label{index}" for index in range(n_labels))
