"""`avtca convert`: published weights of EfficientFace, AVT-CA and its parent as checkpoints."""

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli

if TYPE_CHECKING:
    from avtca.model.convert import Conversion


def convert(
    source: Annotated[Path, typer.Argument(help="A .pth or .pth.tar file.")],
    to: Annotated[str, typer.Option("--to", help="The network to convert to; see: avtca model.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.json.")],
    heads: Annotated[
        int | None,
        typer.Option(
            help="Attention heads, which the file does not contain [default: the published number]",
            min=1,
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Names of the outputs in order, separated by commas.")
    ] = None,
) -> None:
    """Convert a published .pth file to a checkpoint.

    Lists the converted and the unused tensors.
    """
    from avtca.model import require_torch

    require_torch(f"convert {source}")
    from avtca.model.checkpoint import save_checkpoint
    from avtca.model.convert import EFFICIENTFACE
    from avtca.model.convert import convert as convert_file

    names = tuple(name.strip() for name in labels.split(",")) if labels else None
    result = convert_file(source, to, heads=heads, labels=names)
    provenance = {
        "converted_from": source.name,
        "kind": result.kind,
        "converted": len(result.converted),
        "unused": result.unused,
        "untrained": result.untrained,
    }
    with cli.writing(out / f"{to}.safetensors"):
        out.mkdir(parents=True, exist_ok=True)
        save_checkpoint(out / to, result.model, result.clip_spec, provenance=provenance)
    for line in report(result):
        cli.echo(line)
    cli.echo(f"wrote {out / to}.safetensors and {to}.json")
    if result.kind == EFFICIENTFACE:
        cli.echo("the rest of the network is untrained: train it before use")
    else:
        cli.echo(
            "it expects face crops like those of its authors; check it on yours with: "
            "avtca evaluate"
        )


def report(result: "Conversion") -> list[str]:
    """Lines on the converted and unused tensors and the untrained parameters."""
    lines = [f"{result.kind}: {len(result.converted)} tensors converted"]
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, why in result.unused.items():
        shapes = _SHAPES.fullmatch(why)
        reason = f"of another shape in {result.model.variant}" if shapes else why
        reasons[reason].append(f"{name} {shapes[1]} for {shapes[2]}" if shapes else name)
    for why, names in reasons.items():
        lines.append(f"unused, {why}: {_listed(names)}")
    if result.untrained:
        lines.append(f"untrained, not in the file: {_listed(result.untrained)}")
    return lines


_SHAPES = re.compile(r"shape (\(.*\)), \S+ has (\(.*\))")


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
