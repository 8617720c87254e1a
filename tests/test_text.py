"""Names from outside, made safe to print and to write."""

import pytest

from avtca.errors import MediaError
from avtca.text import csv_cell, file_name, find_separator, from_csv_cell, printable


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Jörg – 日本 é.mp4", "Jörg – 日本 é.mp4"),
        ("C:\\clips\\a.mp4", "C:\\clips\\a.mp4"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b\u202egnp.exe", r"a\u2028b\u202egnp.exe"),
        ("M\udcfcller", r"M\xfcller"),
        ("\ud800", r"\ud800"),
    ],
)
def test_unprintable_characters_are_escaped(given, expected):
    assert printable(given) == expected
    assert printable(given).encode()


def test_a_file_name_has_underscores_instead():
    assert file_name("M\udcfcl\nler.wav") == "M_l_ler.wav"


def test_errors_are_printable_and_keep_their_lines():
    error = MediaError("read \x1b[2Jx", "one\ntwo", "M\udcfc")
    assert str(error) == "read \\x1b[2Jx: one\ntwo; M\\xfc"


@pytest.mark.parametrize("text", ["=1+1", "-3g5yACwYnA", "@x", "a", "'a", "", "+"])
def test_a_cell_is_read_back(text):
    assert from_csv_cell(csv_cell(text)) == text


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("path,label", (",", 2)),
        ("Path; Label ;note, long", (";", 3)),
        ('"a|b"|path|label', ("|", 3)),
        ("\npath\tlabel\n1,5\t2,5", ("\t", 2)),
        ("file;name", (";", 2)),
        ("alone", (",", 1)),
        ("", (",", 0)),
    ],
)
def test_the_separator_of_a_table_is_that_of_its_header(header, found):
    assert find_separator(header, ("path", "label")) == found
