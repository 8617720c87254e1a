"""Export of networks to ONNX.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``f``
features, ``n_h`` heads.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from avtca.clipspec import ClipSpec
from avtca.errors import ConfigError
from avtca.model.ensemble import Ensemble
from avtca.model.network import FusionNetwork
from avtca.model.own_network import OwnNetwork

INPUTS = ("video", "audio", "video_mask", "audio_mask")
"""Names of the ONNX inputs, in the order of :meth:`AVTCA.forward`."""


class _TensorOutputs(nn.Module):
    """A network that returns tensors instead of :class:`~avtca.model.avtca.ModelOutput`."""

    def __init__(self, model: FusionNetwork | Ensemble, maps: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.maps = model, maps

    def forward(
        self, video: Tensor, audio: Tensor, video_mask: Tensor, audio_mask: Tensor
    ) -> tuple[Tensor, ...]:
        inputs = (video, audio, video_mask, audio_mask)
        if not self.maps:
            return (self.model(*inputs).logits,)
        out = self.model(*inputs, return_attention=True)
        found = (out.attention[name] for name in self.maps)
        return out.logits, *(one.weights * one.query_mask[:, None, :, None] for one in found)


def example_inputs(clip_spec: ClipSpec, *, batch: int = 2) -> tuple[Tensor, ...]:
    """Random inputs of the shapes of ``clip_spec``, in the order of :data:`INPUTS`."""
    draw = torch.Generator().manual_seed(0)
    return (
        torch.rand(batch, clip_spec.video_steps, *clip_spec.step_shape, generator=draw),
        torch.randn(batch, clip_spec.audio_dim, clip_spec.audio_steps, generator=draw),
        torch.ones(batch, clip_spec.video_steps, dtype=torch.bool),
        torch.ones(batch, clip_spec.audio_steps, dtype=torch.bool),
    )


def export_program(
    model: FusionNetwork | Ensemble, clip_spec: ClipSpec, *, maps: tuple[str, ...] = ()
) -> torch.export.ExportedProgram:
    """The network as a ``torch.export`` program.

    Args:
        model: In evaluation mode.
        clip_spec: Its shapes are fixed in the program; the batch size is free.
        maps: Names of attention maps whose weights become further outputs.

    Raises:
        ValueError: If the network is in training mode.
        ConfigError: If the code of a user's network cannot be traced.
    """
    if model.training:
        raise ValueError("export needs the network in evaluation mode: call eval()")
    batch = torch.export.Dim("batch", min=1, max=4096)
    try:
        return torch.export.export(
            _TensorOutputs(model, maps).eval(),
            example_inputs(clip_spec),
            dynamic_shapes=tuple({0: batch} for _ in INPUTS),
        )
    except Exception as error:
        if not isinstance(model, OwnNetwork):
            raise
        raise ConfigError(
            f"export {model.variant}",
            f"torch.export cannot trace it ({str(error).splitlines()[0]})",
            "use the size x.shape[0], not len(x), and no branches on values of tensors",
        ) from error


def export_onnx(
    model: FusionNetwork | Ensemble,
    clip_spec: ClipSpec,
    path: str | Path,
    *,
    maps: tuple[str, ...] = (),
) -> None:
    """Write the network as one ONNX file, moved into place when complete.

    The inputs are :data:`INPUTS`. The outputs are ``logits (b, n_labels)`` and one for each of
    ``maps``, ``(b, n_h, t_q, t_k)``, named like the map with underscores for dots. Arguments and
    errors as for :func:`export_program`.
    """
    write_onnx(export_program(model, clip_spec, maps=maps), Path(path), maps=maps)


def write_onnx(
    program: torch.export.ExportedProgram, path: Path, *, maps: tuple[str, ...] = ()
) -> None:
    """Write what :func:`export_program` returned as :func:`export_onnx` does."""
    names = ["logits", *(name.replace(".", "_") for name in maps)]
    with quiet():
        made = torch.onnx.export(
            program, input_names=list(INPUTS), output_names=names, dynamo=True, verbose=False
        )
    save_program(made, path)


def save_program(made: torch.onnx.ONNXProgram | None, path: Path) -> None:
    """Write an exported program, moved into place when complete.

    The exporter's metadata on nodes is removed: it holds stack traces with local paths.
    """
    if made is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    for node in made.model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.save(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the exporter's warnings."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
