"""The joined sheet, read back by the readers that people use."""

import csv
import io

import pytest
from small_reports import make_report, make_row

from avtca.recognize.joined import NOT_DONE, JoinedSheet
from avtca.recognize.sheet import read_sheet
from avtca.recognize.summary import HEAD, TAIL

ANSWERS = [*HEAD[1:], "happy", "sad", *TAIL]
REPORT = make_report([make_row(0, 4, 0.7)])
FAILED = ("b.mp4", "read b.mp4: no such file; check the path")


@pytest.fixture
def joined(tmp_path):
    def made(text, encoding="utf-8"):
        (tmp_path / "clips.csv").write_bytes(text.encode(encoding))
        return JoinedSheet(read_sheet(tmp_path / "clips.csv"), ("happy", "sad"))

    return made


def test_their_columns_then_the_answers_one_row_each(joined):
    text = joined("id,path,note\n007,a.mp4,-3\n008,b.mp4,=1+1\n").csv([REPORT, FAILED])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["id", "path", "note", *ANSWERS]
    first, second = rows
    assert (first["id"], first["path"], first["note"]) == ("007", "a.mp4", "-3")
    assert (first["top"], first["confidence"], first["happy"]) == ("happy", "0.7", "0.7")
    assert (first["sure"], first["sure_from"], first["streams"]) == ("", "", "face")
    assert (first["read"], first["face"], first["voice"]) == ("1.0", "0.5", "0.25")
    assert (first["duration_s"], first["warnings"], first["error"]) == ("4.0", "a <note>", "")
    assert (second["id"], second["note"], second["error"]) == ("008", "=1+1", FAILED[1])
    assert second["top"] == second["happy"] == ""


def test_rows_after_an_interruption_keep_their_place(joined):
    text = joined("path\na.mp4\nb.mp4\n").csv([REPORT])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["error"] for row in rows] == ["", NOT_DONE]


def test_names_that_the_sheet_has_already_get_a_prefix(joined):
    sheet = joined("path,Top,avtca_top,happy,error\na.mp4,1,2,3,4\n")
    names = sheet.columns
    assert names[:5] == ["path", "Top", "avtca_top", "happy", "error"]
    assert names[5] == "avtca_avtca_top"
    assert "avtca_happy" in names and names[-1] == "avtca_error" and "sad" in names
    (row,) = csv.DictReader(io.StringIO(sheet.csv([REPORT])))
    assert (row["happy"], row["avtca_happy"], row["error"]) == ("3", "0.7", "4")
    assert row["avtca_avtca_top"] == "happy"


def test_semicolons_decimal_commas_and_byte_order_mark_as_in_the_sheet(joined):
    text = joined("path;age\na.mp4;30,5\n", "utf-8-sig").csv([REPORT])
    assert text.startswith("\ufeffpath;age;top;")
    (row,) = csv.DictReader(io.StringIO(text[1:]), delimiter=";")
    assert (row["age"], row["confidence"], row["duration_s"]) == ("30,5", "0,7", "4,0")


SHEET = "id;path;age;score;note\n007;a.mp4;30;1,5;=1+1\n008;b.mp4;;2;\n"


def test_excel(joined, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    joined(SHEET).write(tmp_path, [REPORT, FAILED])
    page = openpyxl.load_workbook(tmp_path / "summary.xlsx").active
    head, first, second = ([cell.value for cell in row] for row in page.iter_rows())
    assert head == ["id", "path", "age", "score", "note", *ANSWERS]
    assert first[:7] == ["007", "a.mp4", 30, 1.5, "=1+1", "happy", 0.7]
    assert page["E2"].data_type == "s"  # text, no formula
    assert second[:6] == ["008", "b.mp4", None, 2, None, None]
    assert second[-1] == FAILED[1]
    again = read_sheet(tmp_path / "summary.xlsx")
    assert list(again.columns) == head and list(again.rows[0]) == first


def test_parquet(joined, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    joined(SHEET).write(tmp_path, [REPORT, FAILED])
    table = parquet.read_table(tmp_path / "summary.parquet")
    columns = table.to_pydict()
    assert list(columns) == ["id", "path", "age", "score", "note", *ANSWERS]
    assert columns["id"] == ["007", "008"] and columns["age"] == [30, None]
    assert columns["score"] == [1.5, 2.0] and columns["happy"] == [0.7, None]
    assert columns["error"] == [None, FAILED[1]]
    assert [str(table.schema.field(name).type) for name in ("age", "score", "note")] == [
        "int64",
        "double",
        "string",
    ]


def test_pandas_reads_the_same_from_all_three(joined, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    joined(SHEET).write(tmp_path, [REPORT, FAILED])
    text = pandas.read_csv(tmp_path / "summary.csv", sep=";", decimal=",", dtype={"id": str})
    excel = pandas.read_excel(tmp_path / "summary.xlsx", dtype={"id": str})
    parquet = pandas.read_parquet(tmp_path / "summary.parquet")
    for name in ("id", "path", "age", "score", "happy", "face"):
        assert text[name].fillna(-1).tolist() == excel[name].fillna(-1).tolist()
        assert text[name].fillna(-1).tolist() == parquet[name].fillna(-1).tolist()


def test_without_the_extras_there_is_csv_alone(joined, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    joined(SHEET).write(tmp_path, [REPORT, FAILED])
    assert sorted(path.name for path in tmp_path.glob("summary.*")) == ["summary.csv"]


def test_excel_cells_of_several_kinds_in_one_column(joined, tmp_path):
    """Numbers beside text become text in Parquet, which has one kind a column."""
    openpyxl = pytest.importorskip("openpyxl")
    parquet = pytest.importorskip("pyarrow.parquet")
    book = openpyxl.Workbook()
    for row in (["path", "age"], ["a.mp4", 30], ["b.mp4", "about 40"]):
        book.active.append(row)
    book.save(tmp_path / "clips.xlsx")
    out = JoinedSheet(read_sheet(tmp_path / "clips.xlsx"), ("happy", "sad"))
    out.write(tmp_path, [REPORT, FAILED])
    assert parquet.read_table(tmp_path / "summary.parquet")["age"].to_pylist() == ["30", "about 40"]
    page = openpyxl.load_workbook(tmp_path / "summary.xlsx").active
    assert [page["B2"].value, page["B3"].value] == [30, "about 40"]
