"""Formats of the results of `avtca predict`."""

import importlib
from enum import StrEnum
from pathlib import Path

from avtca.errors import ConfigError, MissingExtra


class Format(StrEnum):
    """Format of standard output."""

    table = "table"
    json = "json"
    csv = "csv"
    summary = "summary"
    eaf = "eaf"
    textgrid = "textgrid"
    vtt = "vtt"
    srt = "srt"
    rttm = "rttm"
    turns = "turns"
    tsv = "tsv"
    parquet = "parquet"
    fex = "fex"
    bids = "bids"
    boris = "boris"
    audformat = "audformat"

    @property
    def is_export(self) -> bool:
        """Whether it is one of :data:`avtca.recognize.exports.EXPORTS`: a format of segments."""
        return self not in (Format.table, Format.json, Format.csv, Format.summary)


def output_format(text: str) -> Format:
    """The format of a name, in upper or lower case; raises :class:`ConfigError` for others."""
    try:
        return Format(text.lower())
    except ValueError:
        names = ", ".join(Format)
        problem = "there is no such format"
        raise ConfigError(f"--format {text}", problem, f"choose one of {names}") from None


def check_export(format: Format, out: Path | None) -> None:
    """Raise an :class:`AvtcaError` where this format cannot be written."""
    from avtca.recognize.exports import EXPORTS

    package = EXPORTS[format].package
    if package is not None:
        try:
            importlib.import_module(package)
        except ImportError:
            problem, fix = f"{package} is not installed", f"pip install {package}"
            raise MissingExtra(f"write {format}", problem, fix) from None
    if out is None and (EXPORTS[format].beside or EXPORTS[format].is_folder):
        problem = "it consists of several files"
        raise ConfigError(f"print {format}", problem, "give a folder for them: --out report")


def check_one_file(format: Format, files: int) -> None:
    """Raise :class:`ConfigError` where standard output cannot hold so many files."""
    from avtca.recognize.exports import EXPORTS

    if files > 1 and not EXPORTS[format].several:
        problem = "a file of this format holds one recording"
        fix = "give one file, or a folder for the results: --out report"
        raise ConfigError(f"print {files} files as {format}", problem, fix)
