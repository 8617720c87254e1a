"""`avtca model`: the networks and their modules."""

from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from avtca.clipspec import PITCH_ROWS


def model(
    variant: Annotated[
        str | None,
        typer.Argument(help="Name of a network, or package.module:Class [default: list all]"),
    ] = None,
    video_dim: Annotated[
        int, typer.Option(help="Length of the video feature vector, instead of face crops.", min=0)
    ] = 0,
    crop_px: Annotated[int, typer.Option(help="Side of the face crop in pixels.", min=32)] = 224,
    grey: Annotated[bool, typer.Option("--grey", help="Grey face crops, not RGB.")] = False,
    video_steps: Annotated[int, typer.Option(help="Video steps in a window.", min=1)] = 15,
    logmel: Annotated[
        int, typer.Option(help="Log-mel bands at 16 kHz and 10 ms, instead of 10 MFCCs.", min=0)
    ] = 0,
    pitch: Annotated[
        bool, typer.Option("--pitch", help="Add pitch and voicing to the log-mel bands.")
    ] = False,
    labels: Annotated[int, typer.Option(help="Number of emotions.", min=1)] = 8,
) -> None:
    """List the networks, or the modules of one.

    Modules have their output shapes, parameters, multiply-adds and source files.
    """
    from avtca.model import require_torch

    require_torch("list the networks")
    from avtca.clipspec import ClipSpec
    from avtca.errors import ConfigError
    from avtca.model.summary import summarise, totals
    from avtca.model.variants import VARIANTS, reads, variant_named
    from avtca.plugins import is_own

    if crop_px % 32:
        raise ConfigError(
            f"size a network for {crop_px} px crops", "not a multiple of 32", "give a multiple"
        )
    if pitch and not (logmel and variant):
        raise ConfigError(
            "size a network that reads pitch",
            "--pitch without " + ("a network's name" if logmel else "--logmel"),
            "name a network with experts and the bands, for example: experts --logmel 64 --pitch",
        )
    spec = ClipSpec(
        video_steps=video_steps,
        labels=tuple(f"label{i}" for i in range(labels)),
        **_video(video_dim, crop_px, grey),
        **_audio(logmel, pitch),
    )
    if variant is None:
        names = [name for name in VARIANTS if reads(name, spec.video)]
        table = _table("network", "parameters", "multiply-adds", "heads", "description", "source")
        for name in names:
            choice = VARIANTS[name]
            parameters, multiply_adds = totals(summarise(name, spec))
            heads = "" if choice.intermediate == choice.late == "none" else str(choice.heads)
            sizes = f"{parameters:,}", f"{multiply_adds / 1e6:,.1f} M"
            table.add_row(name, *sizes, heads, choice.summary, choice.source)
    else:
        rows = summarise(variant, spec)
        table = _table("module", "class", "output", "parameters", "multiply-adds", "source")
        table.title = variant
        if not is_own(variant):
            choice = variant_named(variant)
            table.title = f"{variant}: {choice.summary} ({choice.source})"
        for row in rows:
            sizes = f"{row.parameters:,}", f"{row.multiply_adds:,}"
            table.add_row(row.name, row.kind, row.shapes, *sizes, row.source)
        table.add_section()
        parameters, multiply_adds = totals(rows)
        table.add_row("total", "", "", f"{parameters:,}", f"{multiply_adds:,}", "")
    wide = Console(width=400, markup=False)  # "[conv 3, BN, ReLU] x2" is no markup
    width = Measurement.get(wide, wide.options, table).maximum
    Console(width=width, markup=False, highlight=False).print(table, crop=False)


_NUMBERS = ("parameters", "multiply-adds", "heads")


def _table(*columns: str) -> Table:
    table = Table(title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in _NUMBERS else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    return table


def _video(video_dim: int, crop_px: int, grey: bool) -> dict[str, Any]:
    if video_dim:
        return {"video": "features", "video_features": "features", "video_dim": video_dim}
    return {"crop_px": crop_px, "colour": "grey" if grey else "rgb"}


def _audio(logmel: int, pitch: bool) -> dict[str, Any]:
    if not logmel:
        return {}
    return {
        "audio": "logmel+pitch" if pitch else "logmel",
        "audio_dim": logmel + (PITCH_ROWS if pitch else 0),
        "sample_rate": 16_000,
        "n_fft": 400,
        "hop": 160,
    }
