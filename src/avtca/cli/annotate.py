"""`avtca annotate`: a corpus into Parquet."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli
from avtca.cli.options import (
    DetectorName,
    HopSeconds,
    Model,
    Person,
    PersonMode,
    SpeakerModelFile,
    WindowSeconds,
)
from avtca.cli.progress import ProgressBar

if TYPE_CHECKING:
    from avtca.annotate import Summary


class EngineName(StrEnum):
    """Where recordings are recognised."""

    local = "local"
    ray = "ray"


def annotate(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="A manifest: CSV, TSV, Excel or Parquet with a column path, and optionally id, "
            "start, end; or a text file with a path on each line. Or files, folders, globs and "
            "addresses (s3://...)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the tables; resumes an interrupted call.")],
    engine: Annotated[
        EngineName, typer.Option(help="Processes of this machine, or a Ray cluster.")
    ] = EngineName.local,
    shard: Annotated[
        str, typer.Option(help="Part k of n of the recordings, for schedulers.", metavar="K/N")
    ] = "1/1",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Recordings at once [default: by cores and memory; with Ray all processors]"
        ),
    ] = None,
    window: WindowSeconds = None,
    hop: HopSeconds = None,
    person: PersonMode = Person.main,
    model: Model = None,
    detector: DetectorName = None,
    speaker_model: SpeakerModelFile = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read recordings again that failed before.")
    ] = False,
) -> None:
    """Recognise a corpus into Parquet tables.

    One table has a row for each recording, failures included, the other one for each window and
    person. An interrupted call is resumed by the same command. The exit status is 2 if a recording
    failed.
    """
    from avtca.annotate import annotate as run
    from avtca.annotate.recordings import Shard

    with ProgressBar() as bar:
        summary = run(
            sources,
            out,
            engine=engine.value,
            shard=Shard.parse(shard),
            jobs=jobs,
            window_s=window,
            hop_s=hop,
            person=person.value,
            model=model,
            detector=detector,
            speaker_model=speaker_model,
            retry_failed=retry_failed,
            opened=show_before,
            progress=bar,
        )
    new = summary.recordings - summary.before
    cli.err.print(
        f"{summary.recordings} recording(s) in {out}, {new} of them new; {summary.failed} failed"
    )
    if summary.failed:
        raise typer.Exit(2)


def show_before(summary: "Summary") -> None:
    """Print what the folder already has, if anything."""
    if summary.before:
        cli.err.print(f"note: {summary.before} of {summary.recordings} recording(s) are done")
    if summary.others:
        cli.err.print(
            f"note: {summary.out} also has {summary.others} recording(s) of other sources"
        )
