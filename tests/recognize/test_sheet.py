"""Sheets of clips as labs have them, and the mistakes in them."""

import datetime
from pathlib import Path

import pytest

from avtca.errors import ConfigError, CorpusError, MediaError, MissingExtra
from avtca.recognize.sheet import given_sheet, parse_time, read_sheet


@pytest.fixture
def write(tmp_path):
    """Write a sheet and read it."""

    def written(data, name="clips.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_sheet(path)

    return written


def test_columns_and_rows_stay_as_they_are(write):
    sheet = write('id,path,note\n007,"a,b.mp4","two\nlines"\n\n008,c.mp4,-3\n,,\n')
    assert sheet.columns == ("id", "path", "note")
    assert sheet.rows == (("007", "a,b.mp4", "two\nlines"), ("008", "c.mp4", "-3"))
    assert sheet.numbers == (3, 5)
    assert (sheet.separator, sheet.decimal, sheet.bom) == (",", ".", False)


@pytest.mark.parametrize(
    ("text", "separator", "decimal"),
    [
        ("path;start\na.mp4;1,5\n", ";", ","),
        ("path;age\na.mp4;30\n", ";", ","),
        ("path;start\na.mp4;1.5\n", ";", "."),
        ("path\tstart\na.mp4\t1.5\n", "\t", "."),
        ("path\tstart\na.mp4\t1,5\n", "\t", ","),
        ('path,start\na.mp4,"1,5"\n', ",", "."),
        ("path|start\na.mp4|1.5\n", "|", "."),
        ("sep=;\npath;start\na.mp4;1,5\n", ";", ","),
    ],
)
def test_separators_and_decimal_commas(write, text, separator, decimal):
    sheet = write(text)
    assert (sheet.separator, sheet.decimal) == (separator, decimal)
    assert sheet.columns[0] == "path" and sheet.rows[0][0] == "a.mp4"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(write, encoding):
    sheet = write("Größe;path\nklein;Müller.mp4\n".encode(encoding))
    assert sheet.columns == ("Größe", "path")
    assert sheet.rows == (("klein", "Müller.mp4"),)
    assert sheet.bom == (encoding != "utf-8")


def test_a_sheet_of_one_column_needs_no_quotes(write):
    assert write("path\nMiller, J.mp4\nb;c.mp4\n").rows == (("Miller, J.mp4",), ("b;c.mp4",))


def test_short_rows_are_filled_and_columns_without_a_name_get_one(write):
    sheet = write("path,,start,,\na.mp4\nb.mp4,x,2,,\n")
    assert sheet.columns == ("path", "column 2", "start")
    assert sheet.rows == (("a.mp4", "", ""), ("b.mp4", "x", "2"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", "it is empty; give a sheet with a header and a row for each clip"),
        ("\n,,\n", "it is empty"),
        ("path,id\n", "it has a header and no rows; add a row for each clip"),
        ("file,id\na.mp4,1\n", "it has no column path, only: file, id; name the column path"),
        ("path,id,id\na.mp4,1,2\n", "two columns are called id; give each column a different name"),
        ("path,Path\na.mp4,b\n", "two columns are called path"),
        ("path,id\na,b.mp4,1\n", "row 2 has more cells than the header has columns; put quotes"),
        ('path,id\n"a.mp4,1\n', "row 2 is not CSV"),
        (b"\x00\x01\x02path,id\n", "it is neither text nor an Excel file; save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "it is in the old format of Excel; save it as CSV"),
        (b"PK\x03\x04 no zip", "it is no Excel file, or is damaged; save it as CSV"),
    ],
)
def test_a_sheet_that_cannot_be_used_is_one_line(write, tmp_path, data, problem):
    if data[:2] == b"PK":
        pytest.importorskip("openpyxl")
    with pytest.raises(CorpusError) as error:
        write(data)
    assert str(error.value).startswith(f"read {tmp_path / 'clips.csv'}: {problem}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("", None),
        (None, None),
        ("NA", None),
        ("12", 12),
        ("12,5", 12.5),
        (" 12.5 ", 12.5),
        ("1:05", 65),
        ("01:02:03.25", 3723.25),
        ("1:02:03,250", 3723.25),
        (3, 3),
        (2.5, 2.5),
        ("75:30", 4530),
        ("-1", -1),
    ],
)
def test_times(cell, seconds):
    assert parse_time(cell, "read it") == seconds


@pytest.mark.parametrize(
    "cell", ["soon", "1:75", "1:60:00", "1:2:3:4", "inf", "1.2.3", "5 s", True]
)
def test_what_is_no_time(cell):
    with pytest.raises(MediaError, match=r"is no time; write seconds, mm:ss or hh:mm:ss"):
        parse_time(cell, "read row 2 of x.csv")


def test_each_row_is_a_clip_or_an_error(write, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "sub/b.mp4"):
        (tmp_path / name).touch()
    sheet = write(
        "Path,START,end\n"
        "a.mp4,,\n"
        "sub/b.mp4,1:00,61.5\n"
        "sub\\b.mp4,,2\n"
        "sub,,\n"
        "gone.mp4,,\n"
        ",1,2\n"
        "a.mp4,soon,\n"
        "https://a.b/c.mp4,,\n"
        f"{tmp_path}/a.mp4,,\n"
        "a.mp4,,\n"
    )
    clips = sheet.clips()
    assert [clip.part for clip in clips[:3]] == ["", "#t=60,61.5", "#t=0,2"]
    assert [clip.path for clip in clips[:3]] == [
        tmp_path / "a.mp4",
        tmp_path / "sub" / "b.mp4",
        tmp_path / "sub" / "b.mp4",
    ]
    assert [str(clip.error).partition(": ")[2] for clip in clips[3:8]] == [
        "it is a folder; give a file",
        "no such file; check the path",
        "it has no path; fill in the column path",
        "'soon' is no time; write seconds, mm:ss or hh:mm:ss",
        "it is an address, and avtca does not use the network; download the file, and give its "
        "path",
    ]
    assert str(clips[6].error).startswith(f"read row 8 of {tmp_path / 'clips.csv'}: ")
    assert clips[8].path == clips[9].path == tmp_path / "a.mp4"


def test_a_sheet_is_given_alone(tmp_path):
    sheet = tmp_path / "clips.csv"
    sheet.write_text("path\na.mp4\n")
    assert given_sheet([str(sheet)]).rows == (("a.mp4",),)
    assert given_sheet(["a.mp4", str(tmp_path / "gone.csv"), str(tmp_path)]) is None
    with pytest.raises(ConfigError, match="a sheet was given beside other paths"):
        given_sheet(["a.mp4", str(sheet)])


@pytest.fixture
def excel(tmp_path):
    """Write rows to an Excel file; a cell may be a value with its number format."""
    openpyxl = pytest.importorskip("openpyxl")

    def written(*rows):
        book = openpyxl.Workbook()
        for i, row in enumerate(rows, 1):
            for k, cell in enumerate(row, 1):
                value, shown = cell if isinstance(cell, tuple) else (cell, None)
                made = book.active.cell(i, k, value)
                made.number_format = shown or made.number_format
        book.create_sheet("other")
        book.save(tmp_path / "clips.xlsx")
        return read_sheet(tmp_path / "clips.xlsx")

    return written


def test_excel(excel):
    day = datetime.datetime(2026, 5, 4)
    sheet = excel(
        ["path", "start", "end", "age", "when", "ok"],
        ["a.mp4", 1.5, 3, 30, day, True],
        [None] * 6,
        ["b.mp4", (datetime.time(1, 5), "h:mm"), (datetime.time(0, 1, 7), "h:mm:ss"), None],
        ["c.mp4", "0:02", (datetime.timedelta(hours=25, seconds=1.5), "[h]:mm:ss"), 7.5],
    )
    assert sheet.columns == ("path", "start", "end", "age", "when", "ok")
    assert sheet.rows[0] == ("a.mp4", 1.5, 3, 30, day, True)
    assert sheet.rows[1] == ("b.mp4", "01:05", "00:01:07", None, None, None)
    assert sheet.numbers == (2, 4, 5)
    parts = [(clip.start_s, clip.end_s) for clip in map(_without_error, sheet.clips())]
    assert parts == [(1.5, 3), (65, 67), (2, 90001.5)]


def _without_error(clip):
    assert "no such file" in str(clip.error)
    return clip


def test_excel_without_openpyxl(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    path = Path(tmp_path / "clips.xlsx")
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(MissingExtra, match=r"pip install 'avtca\[sheet\]'"):
        read_sheet(path)
