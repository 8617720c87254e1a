"""Text from outside: made safe to print and to write, and read as times."""

import csv
import io
import math
import re
from collections.abc import Collection, Iterable
from typing import Any

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
    "\ufffe\uffff]"
)
"""Control characters, line separators, marks that change the direction of text, and surrogates,
which stand for bytes that are not UTF-8, and the two characters that XML does not have."""


SEPARATORS = ",;\t|"
"""Between the cells of a table that is read."""

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    r"""Text on one line, with whatever cannot be printed as escapes.

    Args:
        text: For example a file name: ``"a\nb"``, or ``"M\udcfcller"`` for the bytes M, 0xFC, ...

    Returns:
        The same with escapes as in Python, ``a\nb`` and ``M\xfcller``. It can be encoded as
        UTF-8.
    """
    return _UNPRINTABLE.sub(_escaped, text)


def file_name(text: str) -> str:
    """A file name with an underscore for each character that :func:`printable` escapes."""
    return _UNPRINTABLE.sub("_", text)


def csv_cell(value: Any) -> Any:
    """A cell that a spreadsheet does not compute: an apostrophe goes before text that would be one.

    Args:
        value: Text, or a value that stays as it is.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def from_csv_cell(text: str) -> str:
    """The inverse of :func:`csv_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def seconds_of(text: str) -> float:
    """Seconds of a time: a number of seconds, mm:ss or hh:mm:ss, with a decimal point or comma.

    Raises:
        ValueError: It is no time.
    """
    text = text.strip().replace(",", ".")
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        value = float(text)
    else:
        hours, minutes, value = int(clock[1] or 0), int(clock[2]), float(clock[3])
        if value >= 60 or (clock[1] and minutes >= 60):
            raise ValueError(text)
        value += 3600 * hours + 60 * minutes
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def find_separator(
    text: str, required: Collection[str], separators: str = SEPARATORS
) -> tuple[str, int]:
    """The separator of a table, by its header.

    Args:
        text: The table, or its first line.
        required: Columns that the table should have, in lower case.
        separators: Those to choose from.

    Returns:
        The separator with which the header has the required columns, or else the most columns; and
        their number.
    """

    def fit(separator: str) -> tuple[bool, int]:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            names = [name.strip().casefold() for name in next(filter(any, rows), [])]
        except csv.Error:
            return False, 0
        return all(name in names for name in required), len(names)

    best = max(separators, key=fit)
    return best, fit(best)[1]


def label_columns(labels: Iterable[str], others: Collection[str]) -> dict[str, str]:
    """The column of each label in a table; "file (score)" for one named like another column."""
    return {name: csv_cell(f"{name} (score)" if name in others else name) for name in labels}


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return match.group().encode("unicode_escape").decode()
