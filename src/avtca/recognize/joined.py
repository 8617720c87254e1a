"""A sheet of clips with the answers beside each row: CSV, Excel and Parquet."""

import csv
import datetime
import importlib.util
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avtca.errors import ConfigError
from avtca.files import write_atomic
from avtca.recognize.report import Report
from avtca.recognize.sheet import Sheet
from avtca.recognize.summary import HEAD, TAIL, summary_cells
from avtca.text import csv_cell, label_columns, printable

PREFIX = "avtca_"
"""Of a column with an answer whose name the sheet has already."""
NOT_DONE = "not recognised: the call was interrupted"
"""Error of the rows after the last one that was done."""

_NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][+-]?\d{1,2})?")
_MISSING = ("", "NA", "NaN", "nan")
_MAX_EXCEL_TEXT = 32_767

Result = Report | tuple[str, str]


@dataclass(frozen=True)
class JoinedSheet:
    """The columns and rows of a sheet in their order, then columns with the answers.

    Args:
        sheet: The sheet.
        labels: Labels of the network.
    """

    sheet: Sheet
    labels: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """Names of all columns; each is there once."""
        taken = {name.casefold() for name in self.sheet.columns}
        names = list(self.sheet.columns)
        for name in self._answer_columns:
            while name.casefold() in taken:
                name = PREFIX + name
            taken.add(name.casefold())
            names.append(name)
        return names

    @property
    def _label_columns(self) -> dict[str, str]:
        return label_columns(self.labels, [*HEAD, *TAIL])

    @property
    def _answer_columns(self) -> list[str]:
        return [*HEAD[1:], *self._label_columns.values(), *TAIL]

    def answers(self, results: Sequence[Result]) -> list[list[Any]]:
        """The answers of each row, ``None`` for an empty cell.

        Args:
            results: A report, or name and error, for each row; rows after the last one were not
                recognised.
        """
        rows = []
        for k in range(len(self.sheet.rows)):
            result = results[k] if k < len(results) else ("", NOT_DONE)
            if isinstance(result, Report):
                cells = summary_cells(result, self._label_columns)
                cells["sure"] = result.confident
            else:
                cells = {"error": result[1]}
            values = [cells.get(name) for name in self._answer_columns]
            rows.append([None if value == "" else value for value in values])
        return rows

    def csv(self, results: Sequence[Result]) -> str:
        """CSV text, with the separator and the decimal separator of the sheet."""
        sheet, text = self.sheet, io.StringIO()
        writer = csv.writer(text, delimiter=sheet.separator, lineterminator="\n")
        writer.writerow(self.columns)
        for row, answer in zip(sheet.rows, self.answers(results), strict=True):
            ours = [_csv_text(csv_cell(value), sheet.decimal) for value in answer]
            writer.writerow([*(_csv_text(value, sheet.decimal) for value in row), *ours])
        return ("\ufeff" if sheet.bom else "") + text.getvalue()

    def write(self, folder: Path, results: Sequence[Result]) -> None:
        """Write ``summary.csv``; with openpyxl and pyarrow also ``.xlsx`` and ``.parquet``.

        In these, a column of the sheet whose cells are all numbers has numbers; one with numbers
        such as 007 stays text.

        Raises:
            OSError: The folder cannot be written.
        """
        write_atomic(folder / "summary.csv", self.csv(results))
        theirs = zip(*self.sheet.rows, strict=True)
        ours = zip(*self.answers(results), strict=True)
        columns = [_typed(column, self.sheet.decimal) for column in theirs]
        columns += [list(column) for column in ours]
        for package, suffix, content in (
            ("openpyxl", "xlsx", _excel),
            ("pyarrow", "parquet", _parquet),
        ):
            if importlib.util.find_spec(package) is not None:
                write_atomic(folder / f"summary.{suffix}", content(self.columns, columns))


def check_output(sheet: Sheet, folder: Path) -> None:
    """Raise :class:`ConfigError` where the joined sheet would replace the given one."""
    for suffix in ("csv", "xlsx", "parquet"):
        path = folder / f"summary.{suffix}"
        if path.resolve() == sheet.path.resolve():
            raise ConfigError(f"write {path}", "it is the given sheet", "choose another --out")


def _csv_text(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).replace(".", decimal)
    if isinstance(value, datetime.date):  # datetime.datetime is one too
        return value.isoformat()
    return str(value)


def _typed(cells: Iterable[Any], decimal: str) -> list[Any]:
    """Text cells as numbers, where all of a column are; the others with ``None`` where empty."""
    values = list(cells)
    if not all(isinstance(value, str) for value in values):
        return values
    texts = [value.strip().replace(decimal, ".") for value in values]
    numbers = [text for text in texts if text not in _MISSING]
    if numbers and all(map(_NUMBER.fullmatch, numbers)):
        whole = all(number.lstrip("+-").isdigit() for number in numbers)
        kind = int if whole else float
        return [None if text in _MISSING else kind(text) for text in texts]
    return [value or None for value in values]


def _excel(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    page = book.create_sheet("avtca")
    page.freeze_panes = "A2"

    def cell(value: Any, bold: bool = False) -> Any:
        is_text = isinstance(value, str)
        made = WriteOnlyCell(page, _excel_text(value) if is_text else value)
        if is_text:
            made.data_type = "s"  # not a formula
        if bold:
            made.font = Font(bold=True)
        return made

    page.append([cell(name, bold=True) for name in names])
    for row in zip(*columns, strict=True):
        page.append([cell(value) for value in row])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _excel_text(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(map(printable, lines))[:_MAX_EXCEL_TEXT]


def _parquet(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    arrays = []
    for column in columns:
        try:
            array = pa.array(column)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers beside text, in Excel
            array = pa.array([None if value is None else _csv_text(value, ".") for value in column])
        arrays.append(array)
    data = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=list(names)), data)
    return data.getvalue()
