"""`avtca synth`: synthetic clips for smoke tests, load tests and offline demos."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from avtca import cli
from avtca.cli.progress import ProgressBar
from avtca.errors import ConfigError


def synth(
    out: Annotated[Path, typer.Argument(help="Folder for the clips.")],
    layout: Annotated[
        Literal["ravdess", "sequences", "cremad", "mosei", "emodb"],
        typer.Option(
            help="Whose file names and tables; sequences is RAVDESS as audio and face sequences."
        ),
    ] = "ravdess",
    samples: Annotated[int, typer.Option(help="Clips to make.")] = 64,
    speakers: Annotated[int, typer.Option(help="Speakers, each with a face and a voice.")] = 8,
    seed: Annotated[int, typer.Option(help="Other seeds give other clips.")] = 0,
    seconds: Annotated[float, typer.Option(help="Length of a clip in seconds.")] = 3.0,
    size: Annotated[str, typer.Option(help="Frame size in pixels.")] = "1280x720",
    workers: Annotated[
        int | None, typer.Option(help="Processes that draw [default: one a core]", min=1)
    ] = None,
) -> None:
    """Make a synthetic corpus in the layout of a real one.

    It has drawn faces and computed voices. It tests that software works; results on it say nothing
    about real people. Interrupted at any moment, the same command resumes. Its names are in the
    folds of the real corpus. A speaker of CMU-MOSEI is a video.
    """
    from avtca.synthetic.corpus import synth_corpus

    width, _, height = size.lower().partition("x")
    try:
        pixels = int(width), int(height)
        with ProgressBar() as bar:
            made = synth_corpus(
                out,
                samples,
                speakers,
                seed,
                layout=layout,
                seconds=seconds,
                size=pixels,
                workers=workers,
                progress=bar,
            )
    except ValueError as error:
        raise ConfigError("make a synthetic corpus", str(error), "change that option") from error
    cli.err.print(
        f"SYNTHETIC corpus in {made.out}: {made.made} clips made, {made.kept} were there before; "
        f"avtca prepare {'ravdess' if layout == 'sequences' else layout} {made.out} --out DIR "
        "prepares it"
    )
