"""`avtca predict`: recognise emotions in files, folders and globs."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli
from avtca.cli.figures import Figures
from avtca.cli.formats import Format, check_export, check_one_file, output_format
from avtca.cli.options import (
    DetectorName,
    HopSeconds,
    Model,
    Person,
    SpeakerModelFile,
    WindowSeconds,
)
from avtca.cli.predict_call import Call
from avtca.cli.progress import ProgressBar
from avtca.cli.sentences import SUBTITLES
from avtca.errors import ConfigError
from avtca.text import printable

if TYPE_CHECKING:
    from avtca.media import Found
    from avtca.recognize.sheet import Sheet


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, or - for standard input; or a sheet (CSV, Excel) with a "
            "column path, and start and end for parts of files."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a page, images, JSON and CSV; resumes an interrupted call."),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            help="Format to print: table, json, csv (a row for each window), summary (CSV with a "
            "row for each file); or a format of segments, which --out writes to the folder: eaf "
            "(ELAN), textgrid (Praat), vtt, srt, rttm, turns (RTTM of who speaks), tsv, "
            "parquet, fex (py-feat), bids, boris, audformat.",
            parser=output_format,
            metavar="NAME",
        ),
    ] = Format.table,
    window: WindowSeconds = None,
    hop: HopSeconds = None,
    person: Annotated[
        Person | None,
        typer.Option(
            help="The largest steady face, each person, or the person who speaks "
            "[default: main; speaker with --segments]."
        ),
    ] = None,
    merge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A=B",
            help="Persons A and B are the same person, who got a new number after a cut; for one "
            "file; repeat for more.",
        ),
    ] = None,
    video_track: Annotated[
        int | None, typer.Option(min=1, help="Video track to read [default: as a player chooses]")
    ] = None,
    audio_track: Annotated[
        int | None,
        typer.Option(min=1, help="Audio track to read [default: as a player, but no silent one]"),
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Segments of the one file that is given: SRT, VTT, RTTM, TextGrid, EAF or a "
            "sheet. The file is read once, with the same person numbers in all segments."
        ),
    ] = None,
    figures: Figures = None,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="Write a picture and JSON of the attention between face and voice to the folder "
            "of --out (--model avt-ca).",
        ),
    ] = False,
    model: Model = None,
    detector: DetectorName = None,
    speaker_model: SpeakerModelFile = None,
    device: Annotated[str, typer.Option(help="cpu; for checkpoints any PyTorch device.")] = "cpu",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Files recognised at once [default: by files, cores and memory]"),
    ] = None,
) -> None:
    """Recognise the emotions in videos, audio files and images.

    Each file that cannot be read is one line on standard error. The others are still recognised,
    and the exit status is 2.
    """
    from avtca.media import find_media, skipped_text
    from avtca.recognize import load
    from avtca.recognize.merge import MergedPeople

    if format.is_export:
        check_export(format, out)
    if figures is not None and out is None:
        problem, fix = "figures need a folder", "give one: --out report"
        raise ConfigError("write --figures", problem, fix)
    if attention and out is None:
        raise ConfigError(
            "show attention", "there is no folder for the pictures", "give --out FOLDER"
        )
    merged = MergedPeople.parse(merge or [])
    sheet = _sheet(paths, segments)
    if out is not None:
        if sheet is not None:
            from avtca.recognize.joined import check_output

            check_output(sheet, out)
        cli.output_folder(out)
    person = person or (Person.main if segments is None else Person.speaker)
    recognizer = load(model, detector=detector, device=device, speaker_model=speaker_model)
    recognizer.steps(window, hop)
    if attention:
        recognizer.require_attention()
    call = Call(recognizer, window, hop, person, video_track, audio_track, attention, merged)
    call.figures = figures
    call.export = format if format.is_export and out is not None else None
    if sheet is not None:
        from avtca.recognize.joined import JoinedSheet

        call.joined = JoinedSheet(sheet, recognizer.backend.spec.labels)
    with cli.lock_folder(out) if out is not None else nullcontext():
        if out is not None:
            call.open(out, detector)
        skipped: set[Path] = set()
        found = find_media(paths, skipped) if sheet is None else sheet.clips()
        if text := skipped_text(skipped):
            cli.err.print(f"note: {printable(text)}")
        if merged and len(found) != 1 and segments is None:
            problem = f"{len(found)} files were given, and each numbers its persons"
            raise ConfigError("merge persons", problem, "give one file with --merge")
        if out is None and format.is_export and not (segments and format in SUBTITLES):
            check_one_file(format, len(found))
        call.one_reading = segments is not None
        several = len(found) > 1 and not call.one_reading
        if several and jobs != 1 and (jobs is not None or device == "cpu"):
            from avtca.recognize.pool import Pool
            from avtca.worker_pool import default_workers

            workers = min(len(found), jobs or default_workers(len(found)))
            call.pool = (
                Pool(model, detector, device, workers, speaker_model) if workers > 1 else None
            )
        run(call, found, format)


def _sheet(paths: list[str], segments: Path | None) -> "Sheet | None":
    """The sheet that was given, or that of the segments."""
    if segments is None:
        from avtca.recognize.sheet import given_sheet

        return given_sheet(paths)
    from avtca.recognize.segment_files import given_segments

    return given_segments(paths, segments)


def run(call: "Call", found: Sequence["Found"], format: Format) -> None:
    """Recognise the files, write and print what was done.

    Raises :class:`typer.Exit` where a file could not be read, and what stopped the call.
    """
    stopped: KeyboardInterrupt | ConfigError | None = None
    outcomes = call.outcomes(found)
    try:
        with ProgressBar(shown=call.pool is not None, transient=True) as bar:
            for k, one in enumerate(found):
                call.process(one, next(outcomes, None))
                bar("recognise files", k + 1, len(found))
    except (KeyboardInterrupt, ConfigError) as reason:
        outcomes.close()
        stopped = reason
    if stopped is None or call.results:
        try:
            call.write()
        except ConfigError as reason:
            stopped = stopped or reason
        call.print(format)
    if isinstance(stopped, KeyboardInterrupt):
        again = cli.RESUME if call.folder is not None else ""
        stopped.args = (f"after {len(call.results)} of {len(found)}{again}",)
    if stopped is not None:
        raise stopped
    if call.failures:
        cli.err.print(f"{len(call.failures)} of {len(found)} could not be read")
        raise typer.Exit(1 if call.internal_errors else 2)
