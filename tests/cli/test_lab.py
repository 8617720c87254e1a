"""A lab's sheet, command by command, as docs/lab.md shows it."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.S | re.M)
SHEET, CALL, ERRORS, CODE, PRINTED = (body for _, body in BLOCKS[:5])


def avtca(*arguments, cwd):
    command = [sys.executable, "-m", "avtca", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


@pytest.fixture(scope="module")
def lab(sample_clips, tmp_path_factory):
    """The folder of the example after its call, and what the call printed."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "s08").mkdir()
    shutil.copyfile(sample_clips / "obama_speech.mp4", folder / "interview.mp4")
    shutil.copyfile(sample_clips / "01-01-01-01-01-01-01.mp4", folder / "s08" / "statement.mp4")
    (folder / "clips.csv").write_text(SHEET)
    program, *arguments = CALL.split()
    assert program == "avtca"
    return folder, avtca(*arguments, cwd=folder)


def test_the_example_prints_what_the_page_shows(lab, monkeypatch):
    pytest.importorskip("pandas")
    folder, done = lab
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error: " in line or " of 5 " in line]
    assert errors == ERRORS.splitlines()
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(CODE, PAGE.name, "exec"), {})
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    assert lines == [line.rstrip() for line in PRINTED.splitlines()]


def test_parts_have_reports_and_the_page_shows_them(lab):
    folder, _ = lab
    report = json.loads((folder / "report" / "interview.mp4_1-4.json").read_text())
    assert report["file"] == "interview.mp4#t=1,4" and report["duration_s"] == 3
    other = json.loads((folder / "report" / "interview.mp4_4.5-6.json").read_text())
    assert other["duration_s"] == 1.5 and other["scores"] != report["scores"]
    assert (folder / "report" / "s08__statement.mp4.png").is_file()
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3 and "interview.mp4#t=4.5,6" in page
    rows = list(csv.DictReader((folder / "report" / "summary.csv").open(), delimiter=";"))
    for row, plain in zip(rows, (report, other), strict=False):
        assert row["top"] == plain["top"]
        assert row["confidence"] == str(plain["confidence"]).replace(".", ",")


def test_the_same_call_resumes_with_the_corrected_rows(lab, tmp_path):
    folder = shutil.copytree(lab[0], tmp_path / "copy")
    for stem in ("interview.mp4_1-4", "interview.mp4_4.5-6", "s08__statement.mp4"):
        assert (folder / "report" / f"{stem}.json").is_file()
    manifest = folder / "report" / "avtca-manifest.json"
    manifest.write_text(manifest.read_text().replace(str(lab[0]), str(folder)))
    fixed = SHEET.replace("s09/statement.mp4", "s08/statement.mp4").replace(";7;20", ";7;8")
    (folder / "clips.csv").write_text(fixed)
    again = avtca("predict", "clips.csv", "--out", "report", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("(already recognised)") == 4
    assert "interview.mp4#t=7,8: " in again.stderr
    rows = list(csv.DictReader((folder / "report" / "summary.csv").open(), delimiter=";"))
    assert [row["participant"] for row in rows] == ["007", "007", "008", "009", "010"]
    assert not any(row["error"] for row in rows)
    assert rows[2]["happy"] == rows[3]["happy"] != rows[4]["happy"]


def test_segments_of_one_file(sample_clips, tmp_path):
    """As the section about segments shows it."""
    shutil.copyfile(sample_clips / "obama_speech.mp4", tmp_path / "interview.mp4")
    given, call = (body for _, body in BLOCKS if body.startswith("WEBVTT") or "--segments" in body)
    (tmp_path / "interview.vtt").write_text(given)
    done = avtca(*call.split()[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "report" / "summary.csv").open()))
    assert list(rows[0])[:6] == ["path", "start", "end", "speaker", "text", "top"]
    found = [(row["start"], row["end"], row["speaker"], row["duration_s"]) for row in rows]
    assert found == [("0.5", "3.2", "Anna", "2.7"), ("3.2", "7.9", "Bert", "4.7")]
    for row, stem in zip(rows, ("0.5-3.2", "3.2-7.9"), strict=True):
        report = json.loads((tmp_path / "report" / f"interview.mp4_{stem}.json").read_text())
        assert row["top"] == report["top"] and report["file"].startswith(row["path"])
        assert report["part"] == [float(row["start"]), float(row["end"])]
    # Where one report is missing all are made in one reading; where none is, nothing is read.
    reports = sorted((tmp_path / "report").glob("interview.mp4_*.json"))
    before, dates = [one.read_text() for one in reports], []
    for missing in (reports[:1], []):
        for one in missing:
            one.unlink()
        assert avtca(*call.split()[1:], cwd=tmp_path).returncode == 0
        assert [one.read_text() for one in reports] == before
        dates.append([one.stat().st_mtime_ns for one in reports])
    assert dates[0] == dates[1]
    done = avtca("predict", "interview.mp4", "--segments", "interview.mp4", cwd=tmp_path)
    assert done.stderr == (
        "error: read interview.mp4: its format is unknown; give SRT, VTT, RTTM, TextGrid, EAF, "
        "CSV or Excel\n"
    )


def block(start):
    """The code block of the page that begins with this."""
    (found,) = [body for _, body in BLOCKS if body.startswith(start)]
    return found


@pytest.fixture(scope="module")
def coded(corpora, sample_clips, shared, tmp_path_factory):
    """Real clips with a coder's labels, evaluated as the page shows it."""
    folder = tmp_path_factory.mktemp("coded")
    talking = shared / "talking"
    clips = {
        "anger.flv": corpora / "cremad" / "1001_DFA_ANG_XX.flv",
        "fear.flv": corpora / "cremad" / "1001_DFA_FEA_XX.flv",
        "joy.flv": corpora / "cremad" / "1001_DFA_HAP_XX.flv",
        "neutral.mp4": sample_clips / "01-01-01-01-01-01-01.mp4",
        "surprised.mp4": talking / "01-01-08-01-01-02-01.mp4",
        "bored.mpg": talking / "bbaf2n.mpg",
    }
    for name, path in clips.items():
        shutil.copyfile(path, folder / name)
    (folder / "labels.csv").write_text(block("path,label,speaker"))
    call = block("avtca evaluate default labels.csv").split()
    return folder, avtca(*call[1:], cwd=folder)


def test_agreement_with_a_coder(coded):
    folder, done = coded
    assert done.returncode == 0, done.stderr
    printed = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    for line in block("split: whole corpus").splitlines():
        assert line in printed
    with (folder / "agreement" / "evaluation.csv").open() as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["anger.flv", "fear.flv", "joy.flv", "neutral.mp4", "surprised.mp4"]
    assert [row["label"] for row in rows.values()] == [
        *("angry", "fear", "happy", "neutral", "surprise")
    ]
    wrong = [path for path, row in rows.items() if row["label"] != row["recognised"]]
    report = json.loads((folder / "agreement" / "evaluation.json").read_text())
    n, agreed = len(rows), len(rows) - len(wrong)
    recognised = [row["recognised"] for row in rows.values()]
    by_chance = sum(recognised.count(row["label"]) for row in rows.values()) / n**2
    kappa = (agreed / n - by_chance) / (1 - by_chance)
    assert report["agreement"]["kappa"][0] == pytest.approx(kappa, abs=1e-5)
    assert report["metrics"]["accuracy"][0] == agreed / n
    assert {one["samples"] for one in report["modalities"].values()} == {5}
    page = (folder / "agreement" / "evaluation.html").read_text()
    links = re.findall(r'<a href="(cards/\d+\.html)">', page)
    assert len(links) == len(wrong)
    for link in links:
        assert any(path in (folder / "agreement" / link).read_text() for path in wrong)


def eaf(tier, annotations):
    """An EAF file of one tier for interview.mp4; annotations are (start ms, end ms, value)."""
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="a{k}" TIME_VALUE="{start}"/>'
        f'<TIME_SLOT TIME_SLOT_ID="b{k}" TIME_VALUE="{end}"/>'
        for k, (start, end, _) in enumerate(annotations)
    )
    body = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="c{k}" TIME_SLOT_REF1="a{k}" '
        f'TIME_SLOT_REF2="b{k}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
        for k, (_, _, value) in enumerate(annotations)
    )
    link = '<MEDIA_DESCRIPTOR RELATIVE_MEDIA_URL="./interview.mp4"/>'
    return (
        f"<ANNOTATION_DOCUMENT><HEADER>{link}</HEADER><TIME_ORDER>{slots}</TIME_ORDER>"
        f'<TIER TIER_ID="{tier}">{body}</TIER></ANNOTATION_DOCUMENT>'
    )


def test_a_video_coded_in_elan(sample_clips, tmp_path):
    shutil.copyfile(sample_clips / "obama_speech.mp4", tmp_path / "interview.mp4")
    rows = [(500, 3200, "neutral"), (3000, 3000, "sad"), (3200, 6000, "joy")]
    rows += [(6000, 8000, "bored"), (7000, 20000, "sad"), (15000, 18000, "sad")]
    (tmp_path / "interview.eaf").write_text(eaf("emotion", rows))
    call = block("avtca evaluate default interview.eaf").split()
    done = avtca(*call[1:], cwd=tmp_path)
    assert done.returncode == 2
    shown = block("error: read torn.eaf").splitlines()
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == shown[1:]
    with (tmp_path / "coded" / "evaluation.csv").open() as file:
        found = [
            (row["path"], row["start"], row["end"], row["label"], row["notes"])
            for row in csv.DictReader(file)
        ]
    assert found == [
        ("interview.mp4", "0.5", "3.2", "neutral", ""),
        ("interview.mp4", "3.2", "6.0", "happy", ""),
        ("interview.mp4", "7.0", "20.0", "sad", "the file ends 1.8 s after the start"),
    ]
    done = avtca("evaluate", "default", "interview.eaf", "--tier", "mood", cwd=tmp_path)
    assert done.stderr == (
        "error: read interview.eaf: it has no tier mood, only: emotion; choose one of them with "
        "--tier\n"
    )
    (tmp_path / "torn.eaf").write_text("<ANNOTATION_DOCUMENT>")
    done = avtca("finetune", "default", "torn.eaf", "--out", "mine", cwd=tmp_path)
    assert done.stderr == shown[0] + "\n" and not (tmp_path / "mine").exists()
    (tmp_path / "odd.csv").write_text("path,label\ninterview.mp4,puzzled\n")
    done = avtca("evaluate", "default", "odd.csv", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: use ")
    assert "no sample has one of these labels; it has puzzled; choose labels of" in done.stderr


def test_a_sheet_with_a_mistake_is_one_line(tmp_path):
    (tmp_path / "clips.csv").write_text("file\na.mp4\n")
    (tmp_path / "rows.csv").write_text("path,start,end\n.,,\nclips.csv,4,2\n")
    done = avtca("predict", "clips.csv", "--out", "report", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: read clips.csv: it has no column path, only: file; name the column path in the "
        "first row\n"
    )
    assert not (tmp_path / "report").exists()
    (tmp_path / "summary.csv").write_text("path\na.mp4\n")
    done = avtca("predict", "summary.csv", "--out", ".", cwd=tmp_path)
    assert done.stderr == "error: write summary.csv: it is the given sheet; choose another --out\n"
    assert (tmp_path / "summary.csv").read_text() == "path\na.mp4\n"
    done = avtca("predict", "rows.csv", "clips.csv", cwd=tmp_path)
    assert done.stderr.startswith("error: read rows.csv: a sheet was given beside other paths; ")
    done = avtca("predict", "rows.csv", "--format", "summary", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 2
    assert rows[0]["error"] == "read .: it is a folder; give a file"
    assert "it is not a media file" in rows[1]["error"]
