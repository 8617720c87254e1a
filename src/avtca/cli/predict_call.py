"""The files of one call of `avtca predict`: their reports, and what is written and printed."""

import json
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import typer

from avtca import cli
from avtca.cli.figures import FigureFiles
from avtca.cli.formats import Format
from avtca.cli.options import Person
from avtca.cli.reports import print_line, recognise_file, table
from avtca.cli.sentences import SUBTITLES, sentence_outcomes, subtitles
from avtca.errors import AvtcaError, ConfigError, MediaError
from avtca.files import write_atomic
from avtca.text import printable

if TYPE_CHECKING:
    from avtca.media import Found
    from avtca.plots.html import PageEntry
    from avtca.recognize import Recognizer, Report
    from avtca.recognize.joined import JoinedSheet
    from avtca.recognize.pool import Job, Pool, Timed
    from avtca.recognize.writers import OutputFolder


SHOWN_PEOPLE = {
    Person.main: "the largest steady face",
    Person.all: "all",
    Person.speaker: "the person who speaks",
}


@dataclass
class Call:
    """One call of the command: its options and its results so far."""

    recognizer: "Recognizer"
    window: float | None
    hop: float | None
    person: Person
    video_track: int | None = None
    audio_track: int | None = None
    attention: bool = False
    merge: Sequence[tuple[int, int]] = ()
    """Pairs of person numbers that are one person."""
    results: list["Report | tuple[str, str]"] = field(default_factory=list)
    """In the order of the files: a report, or the name and the error."""
    entries: list["PageEntry"] = field(default_factory=list)
    """Entries of the page."""
    internal_errors: int = 0
    """Failures that the user did not cause."""
    folder: "OutputFolder | None" = None
    export: Format | None = None
    """Format of segments to write to the folder."""
    figures: FigureFiles | None = None
    """Figures to write to the folder."""
    exported: int = 0
    """Number of its files."""
    joined: "JoinedSheet | None" = None
    """The sheet that lists the files, if one was given."""
    digests: dict[Path, str | None] = field(default_factory=dict)
    """SHA-256 of each file: a sheet may list many parts of one."""
    pool: "Pool | None" = None
    """Processes that recognise several files at once."""
    one_reading: bool = False
    """Whether the files are segments of one recording, which is read once."""

    @property
    def reports(self) -> list["Report"]:
        """Reports of the files without an error."""
        return [result for result in self.results if not isinstance(result, tuple)]

    @property
    def in_one(self) -> bool:
        """Whether the export is one file of subtitles for all segments."""
        return self.one_reading and self.export in SUBTITLES

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Name and error of the other files."""
        return [result for result in self.results if isinstance(result, tuple)]

    def open(self, out: Path, detector: str | None) -> None:
        """Write to ``out``, or resume there."""
        from avtca import __version__
        from avtca.recognize.writers import OutputFolder

        backend = self.recognizer.backend
        window, hop = self.recognizer.steps(self.window, self.hop)
        options = {
            "avtca": __version__,
            "model": backend.name,
            "weights": backend.weights,
            "temperature": backend.temperature,
            "thresholds": backend.thresholds,
            "window_steps": window,
            "hop_steps": hop,
            "person": self.person.value,
            "detector": detector or type(self.recognizer.detector).__name__,
        }
        tracks = {"video_track": self.video_track, "audio_track": self.audio_track}
        options |= {name: number for name, number in tracks.items() if number is not None}
        if self.attention:
            options["attention"] = True
        if self.recognizer.speaker_model is not None:
            options["speaker_model"] = self.recognizer.speaker_model.sha256
        if self.merge:
            options["merge"] = [list(pair) for pair in self.merge]
        self.folder = OutputFolder(out, options)

    def outcomes(
        self, found: Sequence["Found"]
    ) -> Generator["Timed | Exception | None", None, None]:
        """For each file its outcome, ``None`` where it is to be recognised alone and here."""
        if self.one_reading:
            yield from sentence_outcomes(self, found)
        if self.pool is None:
            return
        yield from self.pool.outcomes(map(self._job, found))

    def _job(self, one: "Found") -> "Job | None":
        """The job of the pool for a file; pipes are read here, and written reports are kept."""
        if one.error is not None or one.path is None or one.is_pipe or self.kept(one, one.path):
            return None
        from avtca.recognize.pool import Job

        return Job(0, str(one.path), self.predict_options(one))

    def process(self, one: "Found", outcome: "Timed | Exception | None" = None) -> None:
        """Recognise a file, unless the folder has its report, and write the report.

        Args:
            one: The file.
            outcome: Its outcome in the pool, if it was recognised there.

        Raises:
            ConfigError: The report cannot be written.
        """
        name = printable(str(one.path or one.entry)) + one.part
        try:
            if one.error is not None or one.path is None:
                raise one.error or ValueError(name)
            self._recognise(one, one.path, outcome)
        except ConfigError:
            raise
        except AvtcaError as error:
            cli.fail(error)
            self.results.append((name, printable(str(error))))
        except Exception as error:
            self.internal_errors += 1
            self.results.append((name, cli.crashed(error, name)))

    @staticmethod
    def _source(one: "Found", path: Path) -> str | BinaryIO:
        from avtca.media.pipe import PipeReader

        if one.is_stdin and sys.stdin.isatty():
            fix = "write a recording to it: cat clip.mp4 | avtca predict -"
            raise MediaError("read standard input", "it is a terminal", fix)
        if one.is_stdin:
            return sys.stdin.buffer
        return cast(BinaryIO, PipeReader(path)) if one.is_pipe else str(path)

    def kept(self, one: "Found", path: Path) -> "PageEntry | None":
        """The report of a file that the folder has already."""
        if self.folder is None or one.is_pipe or not (digest := self._digest(path)):
            return None
        return self.folder.done(path, digest, one.part)

    def _digest(self, path: Path) -> str | None:
        from avtca.files import file_digest

        if path not in self.digests:
            self.digests[path] = file_digest(path)
        return self.digests[path]

    def predict_options(self, one: "Found") -> dict[str, Any]:
        """Options of :meth:`Recognizer.predict`."""
        return {
            "window_s": self.window,
            "hop_s": self.hop,
            "person": self.person.value,
            "video_track": self.video_track,
            "audio_track": self.audio_track,
            "start_s": one.start_s,
            "end_s": one.end_s,
            "attention": self.attention,
            "merge": self.merge,
        }

    def _recognise(self, one: "Found", path: Path, outcome: "Timed | Exception | None") -> None:
        if isinstance(outcome, Exception):
            raise outcome
        kept = self.kept(one, path) if outcome is None else None
        if kept is not None:
            report = kept.report
            cli.err.print(f"{report.file}: {report.top} {report.certainty} (already recognised)")
            self.results.append(kept.report)
            self.entries.append(kept)
            self._export(kept, path, one.part)
            return
        if outcome is None:
            options = self.predict_options(one)
            report = recognise_file(self.recognizer, self._source(one, path), **options)
        else:
            report = outcome.report
            print_line(report, outcome.took_s)
        digest = "" if self.folder is None or one.is_pipe else self._digest(path)
        small = report.without_images()
        self.results.append(small)
        if self.folder is not None:
            below = Path(one.entry) if Path(one.entry).is_dir() else None
            with cli.writing(self.folder.folder):
                made = self.folder.add(report, path, below, digest or "", one.part)
            self.entries.append(made._replace(report=small))
            self._export(self.entries[-1], path, one.part)

    def _export(self, entry: "PageEntry", path: Path, part: str) -> None:
        """Write the figure and the export of a file, where they are wanted."""
        from avtca.recognize.exports import EXPORTS

        if self.folder is None:
            return
        with cli.writing(self.folder.folder):
            if self.figures is not None:
                wanted = self.figures
                self.folder.figure(entry, path, part, wanted.format, wanted.width_in)
            if self.export is not None and not (self.in_one or EXPORTS[self.export].is_folder):
                self.folder.export(entry.report, path, self.export, part)
                self.exported += 1

    def write(self) -> None:
        """Write the page and the summary, if there is a folder for them.

        Raises :class:`ConfigError` where they cannot be written.
        """
        if self.folder is None:
            return
        from avtca.plots.html import recognition_html

        out = self.folder.folder
        with cli.writing(out):
            self.folder.save()
            page = recognition_html(self.entries, self.failures, options=self.shown_options())
            write_atomic(out / "report.html", page)
            if self.joined is not None:
                self.joined.write(out, self.results)
            else:
                write_atomic(out / "summary.csv", self.summary())
        cli.err.print(f"page: {out / 'report.html'}")
        if self.export is not None:
            self._finish_export(out, self.export)
        if others := self.folder.others():
            cli.err.print(f"note: {out} also has {others} report(s) with other options")

    def shown_options(self) -> dict[str, str]:
        """The options of the call, for the page."""
        rate = self.recognizer.backend.spec.video_rate
        steps = self.recognizer.steps(self.window, self.hop)
        window_s, hop_s = (number / rate for number in steps)
        shown = {
            "windows": f"{window_s:.3g} s, every {hop_s:.3g} s",
            "people": SHOWN_PEOPLE[self.person],
        }
        tracks = {"video track": self.video_track, "audio track": self.audio_track}
        return shown | {name: str(number) for name, number in tracks.items() if number is not None}

    def _finish_export(self, out: Path, format: Format) -> None:
        """Write the export that is a folder, and print where exports are."""
        from avtca.recognize.exports import EXPORTS

        export = EXPORTS[format]
        if self.in_one:
            write_atomic(out / f"segments{export.suffix}", subtitles(self, format))
            cli.err.print(f"{format}: {out / f'segments{export.suffix}'}")
        elif not export.is_folder:
            cli.err.print(f"{format}: {out / f'*{export.suffix}'} ({self.exported} file(s))")
        elif self.reports:
            cli.write_results(out / export.suffix, export.content(*self.reports))

    def print(self, format: Format) -> None:
        """Print the results on standard output, exports only where no folder gets them."""
        if format.is_export:
            from avtca.recognize.exports import EXPORTS

            export = EXPORTS[format]
            if self.export is None and self.one_reading and format in SUBTITLES:
                typer.echo(subtitles(self, format), nl=False)
            elif self.export is None and (export.several or self.reports):
                typer.echo(export.content(*self.reports), nl=False)
        elif format is Format.json:
            rows: list[dict[str, object]] = [report.to_dict() for report in self.reports]
            rows += [{"file": name, "error": why} for name, why in self.failures]
            typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        elif format is Format.csv:
            for i, report in enumerate(self.reports):
                head, _, body = report.to_csv().partition("\n")
                typer.echo(body if i else f"{head}\n{body}", nl=False)
        elif format is Format.summary:
            typer.echo(self.summary(), nl=False)
        elif self.reports:
            from rich.console import Console

            Console(highlight=False, markup=False, emoji=False).print(table(self.reports))

    def summary(self) -> str:
        """CSV with a row for each file, or for each row of the sheet, in order."""
        if self.joined is not None:
            return self.joined.csv(self.results)
        from avtca.recognize.summary import summary_csv

        return summary_csv(self.results, self.recognizer.backend.spec.labels)
