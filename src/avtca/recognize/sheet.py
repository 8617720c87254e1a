"""A sheet that lists clips: CSV, TSV or Excel, with a column ``path`` and any others."""

import codecs
import csv
import datetime
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avtca.errors import ConfigError, CorpusError, MediaError, MissingExtra
from avtca.media.find import Found, find_file
from avtca.text import SEPARATORS, find_separator, seconds_of

SHEET_SUFFIXES = (".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xls", ".ods")
"""Suffixes, in lower case, of files that are read as a sheet, or refused as one."""
PATH, START, END = "path", "start", "end"
"""Columns that avtca reads; upper and lower case are the same."""
MAX_BYTES = 2**28
"""Largest sheet, in an Excel file once it is unpacked."""

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_NO_TEXT = re.compile("[\0-\x08\x0e-\x19\x1b-\x1f]")
_COMMA, _POINT = re.compile(r"[+-]?\d*,\d+"), re.compile(r"[+-]?\d*\.\d+")
_MISSING = ("", "na", "nan")
_SAVE_AS = "save it as CSV (UTF-8) or Excel (.xlsx)"

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Sheet:
    """A sheet as it was read.

    Attributes:
        path: The file.
        columns: Names of the columns; one without a name is "column N".
        rows: Cells of the rows that are not empty: text, in Excel also numbers, dates and ``None``.
        numbers: Number of each row in the file; the header is row 1.
        separator: Between the cells of a text file.
        decimal: Decimal separator of its numbers.
        bom: Whether Excel needs a byte order mark to read the same text as UTF-8.
        media: The file of all rows, by default that of the column ``path``.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    numbers: tuple[int, ...]
    separator: str = ","
    decimal: str = "."
    bom: bool = False
    media: Path | None = None

    def clips(self) -> list[Found]:
        """The file, or the part of one, of each row, in order; a row with a mistake has an error.

        Relative paths start at the folder of the sheet.
        """
        path, start, end = (self._cells(name) for name in (PATH, START, END))
        return [self._clip(*row) for row in zip(self.numbers, path, start, end, strict=True)]

    def _cells(self, name: str) -> list[Any]:
        names = list(map(str.casefold, self.columns))
        if name not in names:
            return [None] * len(self.rows)
        return [row[names.index(name)] for row in self.rows]

    def _clip(self, number: int, path: Any, start: Any, end: Any) -> Found:
        text = "" if path is None else str(path).strip()
        text = text if self.media is None else str(self.media)
        action = f"read row {number} of {self.path}"
        try:
            if not text:
                raise MediaError(action, "it has no path", "fill in the column path")
            start_s = parse_time(start, action) or 0.0
            end_s = parse_time(end, action)
        except MediaError as error:
            return Found(text or f"row {number} of {self.path}", error=error)
        found = find_file(text, self.path.parent if self.media is None else Path())
        return Found(found.entry, found.path, found.error, start_s, end_s)


def parse_time(cell: Any, action: str) -> float | None:
    """Seconds of a time: a number of seconds, mm:ss or hh:mm:ss; ``None`` for an empty cell.

    Args:
        cell: Text or a number. A decimal comma is read as a point.
        action: What is read, for the error.

    Raises:
        MediaError: It is no time.
    """
    text = "" if cell is None else str(cell).strip()
    if text.replace(",", ".").casefold() in _MISSING:
        return None
    try:
        return round(seconds_of(text), 3)
    except (ValueError, OverflowError) as error:
        fix = "write seconds, mm:ss or hh:mm:ss"
        raise MediaError(action, f"{str(cell)!r} is no time", fix) from error


def read_sheet(path: Path, required: Sequence[str] = (PATH,), media: Path | None = None) -> Sheet:
    """Read a sheet.

    Args:
        path: The file: text with commas, semicolons, tabs or bars, in UTF-8, UTF-16 or Latin-1, or
            Excel, of which the first sheet is read.
        required: Columns that it must have.
        media: The file of all rows, by default that of the column ``path``.

    Raises:
        CorpusError: It cannot be read, is empty, or its columns are not as required.
        MissingExtra: It is Excel, and openpyxl is not installed.
    """
    return parse_sheet(path, _bytes(path), required, media)


def parse_sheet(
    path: Path, data: bytes, required: Sequence[str] = (PATH,), media: Path | None = None
) -> Sheet:
    """The sheet in the content of a file; see :func:`read_sheet`."""
    lines: list[tuple[int, list[Any]]] = []
    separator, decimal, bom = ",", ".", False
    if data.startswith(_ZIP):
        lines = _excel(path, data)
    else:
        text, bom = _text(path, data, "it is neither text nor an Excel file", _SAVE_AS)
        if text.strip(SEPARATORS + ' "\r\n'):
            lines, separator = _separated(path, text, required)
        decimal = _decimal(lines, separator)
    filled = [(n, row) for n, row in lines if any(cell not in ("", None) for cell in row)]
    if not filled:
        raise read_error(path, "it is empty", "give a sheet with a header and a row for each clip")
    header, body = filled[0][1], filled[1:]
    width = max(k + 1 for _, row in filled for k, x in enumerate(row) if x not in ("", None))
    names = [str("" if cell is None else cell).strip() for cell in header]
    if width > len(names):
        number = next(n for n, row in body if any(x not in ("", None) for x in row[len(names) :]))
        problem = f"row {number} has more cells than the header has columns"
        raise read_error(path, problem, "put quotes around text that has the separator in it")
    columns = tuple(name or f"column {k + 1}" for k, name in enumerate(names[:width]))
    _check_columns(path, columns, required)
    if not body:
        raise read_error(path, "it has a header and no rows", "add a row for each clip")
    empty = None if data.startswith(_ZIP) else ""
    rows = tuple(tuple([*row, *[empty] * width][:width]) for _, row in body)
    return Sheet(path, columns, rows, tuple(n for n, _ in body), separator, decimal, bom, media)


def given_sheet(paths: Sequence[str]) -> Sheet | None:
    """The sheet, if one was given in place of media.

    Raises:
        ConfigError: It was given beside others.
        CorpusError, MissingExtra: See :func:`read_sheet`.
    """
    for path in map(Path, paths):
        if path.suffix.lower() in SHEET_SUFFIXES and path.is_file():
            if len(paths) > 1:
                fix = "give the sheet alone, and list the files in it"
                raise ConfigError(f"read {path}", "a sheet was given beside other paths", fix)
            return read_sheet(path)
    return None


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    known = (PATH, START, END)
    keys = [name.casefold() if name.casefold() in known else name for name in columns]
    if twice := sorted({name for name in keys if keys.count(name) > 1}):
        fix = "give each column a different name"
        raise read_error(path, f"two columns are called {' '.join(twice[0].split())}", fix)
    if missing := [name for name in required if name not in keys]:
        there = ", ".join(" ".join(name.split()) for name in columns[:10])
        there += ", ..." if len(columns) > 10 else ""
        fix = f"name the column {missing[0]} in the first row"
        raise read_error(path, f"it has no column {missing[0]}, only: {there}", fix)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise read_error(
                path, f"it is larger than {MAX_BYTES >> 20} MB", "give a smaller sheet"
            )
        data = path.read_bytes()
    except OSError as error:
        raise read_error(path, error.strerror or str(error), "check the path") from error
    if data.startswith(_OLE):
        raise read_error(path, "it is in the old format of Excel", _SAVE_AS)
    return data


def read_text(path: Path) -> tuple[str, bool]:
    """The text of a file, and whether it is UTF-8 with a byte order mark, or not UTF-8.

    Raises:
        CorpusError: It cannot be read, or is no text.
    """
    return decode_text(path, _bytes(path))


def decode_text(path: Path, data: bytes) -> tuple[str, bool]:
    """The text in the content of a file; see :func:`read_text`."""
    return _text(path, data, "it is no text", "export it again as text")


def _text(path: Path, data: bytes, problem: str, fix: str) -> tuple[str, bool]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _NO_TEXT.search(text):
            break
        # Excel, which writes the others, reads UTF-8 only with a mark.
        return text, encoding != "utf-8-sig" or data.startswith(codecs.BOM_UTF8)
    raise read_error(path, problem, fix)


def _separated(
    path: Path, text: str, required: Sequence[str]
) -> tuple[list[tuple[int, list[Any]]], str]:
    """Number and cells of each line, and the separator with which the header fits best."""
    separators = SEPARATORS
    if mark := re.match(r"sep=(.)\r?\n", text):  # of Excel
        separators, text = mark[1], "\n" + text[mark.end() :]
    separator, columns = find_separator(text, required, separators)
    # In a sheet of one column commas are part of the text.
    alone = columns <= 1
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter="\t" if alone else separator, strict=True
    )
    try:
        return [(reader.line_num, row) for row in reader], "," if alone else separator
    except csv.Error as error:
        problem = f"row {reader.line_num} is not CSV ({error})"
        raise read_error(path, problem, "close each quote, or " + _SAVE_AS) from error


def _decimal(lines: Iterable[tuple[int, list[Any]]], separator: str) -> str:
    """Decimal separator: a comma where numbers have one, or with semicolons unless they do not."""
    if separator == ",":
        return "."
    cells = [cell.strip() for _, row in lines for cell in row]
    if any(map(_COMMA.fullmatch, cells)):
        return ","
    points = any(map(_POINT.fullmatch, cells))
    return "," if separator == ";" and not points else "."


def _excel(path: Path, data: bytes) -> list[tuple[int, list[Any]]]:
    import zipfile

    try:
        import openpyxl
    except ImportError as error:
        problem = "reading Excel needs openpyxl, which is not installed"
        raise MissingExtra(f"read {path}", problem, "pip install 'avtca[sheet]'") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MAX_BYTES:
                raise read_error(path, f"it unpacks to over {MAX_BYTES >> 20} MB", _SAVE_AS)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        return [
            (number, [_excel_value(cell) for cell in row])
            for number, row in enumerate(sheet.iter_rows(), 1)
        ]
    except CorpusError:
        raise
    except Exception as error:  # whatever a damaged file makes of openpyxl
        raise read_error(path, "it is no Excel file, or is damaged", _SAVE_AS) from error


def _excel_value(cell: Any) -> Any:
    """The value of a cell; times as they are shown, since Excel takes 1:05 for five past one."""
    value = cell.value
    if isinstance(value, datetime.time):
        shows_seconds = "s" in str(cell.number_format).lower()
        if not shows_seconds:
            return value.strftime("%H:%M")
        return value.isoformat("milliseconds" if value.microsecond else "seconds")
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
        minutes = int(seconds // 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds % 60:06.3f}"
    return value


def read_error(path: Path, problem: str, fix: str) -> CorpusError:
    """The error of a file that cannot be used."""
    return CorpusError(f"read {path}", problem, fix)
