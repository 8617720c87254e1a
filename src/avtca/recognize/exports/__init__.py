"""Reports as files of annotation programs, and as tables of segments."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from avtca.recognize.exports.audformat import audformat_files
from avtca.recognize.exports.bids import bids_events, bids_sidecar
from avtca.recognize.exports.boris import boris_text
from avtca.recognize.exports.eaf import eaf_text
from avtca.recognize.exports.fex import fex_text
from avtca.recognize.exports.file_time import in_file_time
from avtca.recognize.exports.rttm import rttm_text, turns_text
from avtca.recognize.exports.segments import Segment, make_segments
from avtca.recognize.exports.subtitles import srt_text, vtt_text
from avtca.recognize.exports.table import parquet_bytes, tsv_text
from avtca.recognize.exports.textgrid import textgrid_text

if TYPE_CHECKING:
    from avtca.recognize.report import Report

__all__ = ["EXPORTS", "Export", "Segment", "make_segments"]


class Export(NamedTuple):
    """A format of segments."""

    suffix: str
    """End of the name of its files, or the name of its folder."""
    make: Callable[..., Any]
    """Content for a report, or for several where the format can hold them: text or bytes, or with
    ``is_folder`` the text of each file."""
    several: bool = False
    """Whether one file can hold several reports."""
    beside: tuple[str, Callable[..., str]] | None = None
    """Suffix and content of a second file that belongs to each."""
    is_folder: bool = False
    """Whether it is one folder for all files of a call."""
    package: str | None = None
    """Package that it needs."""
    needs_folder: bool = False
    """Whether ``make`` also takes the folder of the file, for a relative link to the recording."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Ends of the names of the files of one report."""
        if self.is_folder:
            return ()
        return (self.suffix, *((self.beside[0],) if self.beside else ()))

    def content(self, *reports: "Report", folder: Path = Path()) -> Any:
        """Content for a report, or for several where the format can hold them.

        Times of a part count from the start of its file, as the programs expect that open it.
        Relative links start at ``folder``, by default the current folder.
        """
        made = map(in_file_time, reports)
        return self.make(*made, folder) if self.needs_folder else self.make(*made)

    def files(self, report: "Report", folder: Path) -> dict[str, str | bytes]:
        """Content of the files of one report in ``folder``, by suffix."""
        files: dict[str, str | bytes] = {self.suffix: self.content(report, folder=folder)}
        if self.beside:
            files[self.beside[0]] = self.beside[1](in_file_time(report))
        return files


EXPORTS = {
    "eaf": Export(".eaf", eaf_text, needs_folder=True),
    "textgrid": Export(".TextGrid", textgrid_text),
    "vtt": Export(".vtt", vtt_text),
    "srt": Export(".srt", srt_text),
    "rttm": Export(".rttm", rttm_text, several=True),
    "turns": Export(".turns.rttm", turns_text, several=True),
    "tsv": Export(".tsv", tsv_text, several=True),
    "parquet": Export(".parquet", parquet_bytes, several=True, package="pyarrow"),
    "fex": Export(".fex.csv", fex_text, several=True),
    "bids": Export("_events.tsv", bids_events, beside=("_events.json", bids_sidecar)),
    "boris": Export(".boris", boris_text),
    "audformat": Export("audformat", audformat_files, several=True, is_folder=True),
}
"""Formats by the name of ``--format``."""
