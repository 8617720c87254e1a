"""`avtca serve`: recognition over HTTP, a live socket, and a page in the browser."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from avtca.cli.options import SpeakerModelFile
from avtca.errors import MissingExtra


def serve(
    model: Annotated[
        str | None,
        typer.Option(help="default, avt-ca, or the folder of an exported model [default: default]"),
    ] = None,
    speaker_model: SpeakerModelFile = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [default: 127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0 for a free one [default: 8000]")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Files read at once [default: by cores and memory]")
    ] = None,
    token: Annotated[
        Path | None,
        typer.Option(help="File with a token on each line; required for other hosts."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (docs/serve.md).")] = None,
    keep_media: Annotated[
        bool, typer.Option("--keep-media", help="Keep uploads until their results expire.")
    ] = False,
) -> None:
    """Serve recognition over HTTP, with a page.

    Without a token, only this machine can reach the service.
    """
    try:
        from avtca.serve.app import create_app
        from avtca.serve.server import run
        from avtca.serve.settings import load_settings
    except ModuleNotFoundError as error:
        problem = f"{error.name} is not installed"
        raise MissingExtra("avtca serve", problem, "pip install 'avtca[serve]'") from error

    settings = load_settings(
        config,
        model=model,
        speaker_model=speaker_model,
        host=host,
        port=port,
        workers=workers,
        token_file=token,
        keep_media=keep_media or None,
    )
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("avtca.serve").setLevel(logging.INFO)
    run(create_app(settings), settings)
