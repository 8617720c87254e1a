"""Networks as ONNX files, with the names that the engines use.

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
from avtca.model.avtca import AVTCA
from avtca.model.ensemble import Ensemble

INPUTS = ("video", "audio", "video_mask", "audio_mask")
"""Names of the ONNX inputs, in the order of :meth:`AVTCA.forward`."""


class _Answers(nn.Module):
    """Tensors instead of a :class:`~avtca.model.avtca.ModelOutput`."""

    def __init__(self, model: AVTCA | Ensemble, maps: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.maps = model, maps

    def forward(
        self, video: Tensor, audio: Tensor, video_mask: Tensor, audio_mask: Tensor
    ) -> tuple[Tensor, ...]:
        given = (video, audio, video_mask, audio_mask)
        if not self.maps:
            return (self.model(*given).logits,)
        out = self.model(*given, return_attention=True)
        return out.logits, *(out.attention[name].weights for name in self.maps)


def example_inputs(clip_spec: ClipSpec, *, batch: int = 2) -> tuple[Tensor, ...]:
    """Random inputs of the shapes that ``clip_spec`` makes, in the order of :data:`INPUTS`."""
    draw = torch.Generator().manual_seed(0)
    return (
        torch.rand(batch, clip_spec.video_steps, *clip_spec.step_shape, generator=draw),
        torch.randn(batch, clip_spec.audio_dim, clip_spec.audio_steps, generator=draw),
        torch.ones(batch, clip_spec.video_steps, dtype=torch.bool),
        torch.ones(batch, clip_spec.audio_steps, dtype=torch.bool),
    )


def export_program(
    model: AVTCA | Ensemble, clip_spec: ClipSpec, *, maps: tuple[str, ...] = ()
) -> torch.export.ExportedProgram:
    """The network through ``torch.export``: any batch, the lengths of ``clip_spec``.

    The outputs are logits and the weights of each attention map named in ``maps``. The network
    must be in evaluation mode (``ValueError``).
    """
    if model.training:
        raise ValueError("export needs the network in evaluation mode: call eval()")
    batch = torch.export.Dim("batch", min=1, max=4096)
    return torch.export.export(
        _Answers(model, maps).eval(),
        example_inputs(clip_spec),
        dynamic_shapes=tuple({0: batch} for _ in INPUTS),
    )


def export_onnx(
    model: AVTCA | Ensemble, clip_spec: ClipSpec, path: str | Path, *, maps: tuple[str, ...] = ()
) -> None:
    """Write the network as one ONNX file, moved into place when complete.

    Inputs are :data:`INPUTS` with a free batch size; outputs ``logits (b, n_labels)`` and, for
    each of ``maps``, its name with dots as underscores, ``(b, n_h, t_q, t_k)``.
    """
    path = Path(path)
    program = export_program(model, clip_spec, maps=maps)
    names = ["logits", *(name.replace(".", "_") for name in maps)]
    with quiet():
        made = torch.onnx.export(
            program, input_names=list(INPUTS), output_names=names, dynamo=True, verbose=False
        )
    save_program(made, path)


def save_program(made: torch.onnx.ONNXProgram | None, path: Path) -> None:
    """Write what the exporter made, moved into place when complete.

    Without its notes on each node: they hold stack traces, with the paths of who exported it.
    """
    if made is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    for node in made.model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.save(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's notes on its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
