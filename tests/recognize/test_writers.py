"""The folder of reports that a later call goes on with, and the table with a row a file."""

import base64
import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from avtca.files import file_digest
from avtca.media import find_media
from avtca.media.find import OUTPUTS
from avtca.plots.html import recognition_html
from avtca.recognize import writers
from avtca.recognize.report import Coverage, Person, Report, Thumbnail, TimelineRow
from avtca.recognize.summary import HEAD, TAIL, summary_csv
from avtca.recognize.writers import OutputFolder
from avtca.runtime.bundle import thresholds_of

LABELS = ("happy", "sad")
SCORES = {"happy": 0.75, "sad": 0.25}
OPTIONS = {"window_steps": 36, "person": "main"}


def made(file="x.mp4", people=0):
    coverage, sure = Coverage(1.0, 0.5, 0.25), {"both": 0.7}
    both = ("face", "voice")
    rows = [TimelineRow(0.0, 2.0, SCORES, both, 1.0, 0.5, i) for i in range(max(1, people))]
    face = Thumbnail(1.0, 0, np.zeros((96, 96, 3), np.uint8), (1.0, 2.0, 3.0, 4.0))
    return Report(
        file=str(file),
        duration_s=2.0,
        labels=LABELS,
        scores=SCORES,
        timeline=tuple(rows),
        coverage=coverage,
        warnings=("one", "two, three"),
        model="test",
        people=tuple(
            Person(i, SCORES, (row,), coverage, sure, 1.0, 0.0, 1.0, face.box, 1.0, face)
            for i, row in enumerate(rows[:people])
        ),
        thresholds=sure,
        thumbnails=(face,) if people else (),
    )


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clips" / "b" / "x.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first")
    return path


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def names(out):
    return sorted(path.name for path in out.iterdir())


def test_what_is_there_is_not_read_again(clip, out):
    digest = file_digest(clip)
    first = OutputFolder(out, OPTIONS)
    assert first.done(clip, digest) is None
    entry = first.add(made(clip, people=2), clip, clip.parents[1], digest)
    again = OutputFolder(out, OPTIONS).done(clip, digest)
    assert again.report.to_dict() == entry.report.to_dict()
    assert (again.faces, again.thumbnails) == (entry.faces, entry.thumbnails)
    assert again.faces == (out / "b__x.mp4.faces.jpg", (1.0,))
    assert [number for number, _ in again.thumbnails] == [0, 1]
    endings = ("csv", "faces.jpg", "json", "png", "person0.png", "person1.png")
    assert names(out) == sorted([OUTPUTS, *(f"b__x.mp4.{ending}" for ending in endings)])


def test_other_content_options_or_loss_is_read_again(clip, out):
    digest = file_digest(clip)
    OutputFolder(out, OPTIONS).add(made(clip, people=1), clip, None, digest)
    other = OutputFolder(out, {**OPTIONS, "window_steps": 20})
    assert other.done(clip, digest) is None and other.others() == 1
    clip.write_bytes(b"second")
    assert OutputFolder(out, OPTIONS).done(clip, file_digest(clip)) is None
    (out / "x.mp4.json").write_text("{")
    assert OutputFolder(out, OPTIONS).done(clip, digest) is None
    other.add(made(clip), clip, None, digest)
    assert names(out) == [OUTPUTS, "x.mp4.csv", "x.mp4.json", "x.mp4.png"]
    assert OutputFolder(out, OPTIONS).others() == 1
    (out / OUTPUTS).write_text('{"files": 3}')
    assert OutputFolder(out, OPTIONS).done(clip, digest) is None


def test_names_do_not_clash_and_do_not_change(tmp_path, out):
    folder = OutputFolder(out, OPTIONS)
    below = tmp_path / "clips"
    paths = [below / "a" / "x.mp4", below / "b" / "x.wav", below / "a__x.mp4", below / "summary"]
    paths += [below / ("é" * 120 + ".mp4"), tmp_path / "other" / "a__X.mp4"]
    stems = []
    for path in paths:
        stems.append(folder.stem(path, below if below in path.parents else None))
        folder.add(made(path), path, below if below in path.parents else None, "0")
    assert stems[:2] == ["a__x.mp4", "b__x.wav"]
    assert len({stem.casefold() for stem in stems} | {"summary"}) == len(paths) + 1
    assert all(stem.startswith("a__") for stem in (stems[2], stems[5]))
    folder.save()
    later = OutputFolder(out, OPTIONS)
    again = [later.stem(path, below if below in path.parents else None) for path in reversed(paths)]
    assert again == stems[::-1]


def test_exports_go_with_their_report(clip, out):
    folder = OutputFolder(out, OPTIONS)
    folder.add(made(clip), clip, clip.parents[1], file_digest(clip))
    before = names(out)
    folder.export(made(clip), clip, "textgrid")
    folder.export(made(clip), clip, "bids")
    endings = (".TextGrid", "_events.tsv", "_events.json")
    assert set(names(out)) - set(before) == {f"b__x.mp4{ending}" for ending in endings}
    assert (out / "b__x.mp4.TextGrid").read_text() == made(clip).to_textgrid()
    folder.add(made(clip), clip, clip.parents[1], "other content")
    assert names(out) == before


@pytest.mark.parametrize(
    ("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_a_figure_has_the_wanted_width_and_its_faces_on_a_later_call_too(clip, out, format, start):
    digest = file_digest(clip)
    folder = OutputFolder(out, OPTIONS)
    report = replace(made(clip, people=2), thumbnails=made(people=1).thumbnails)
    entry = folder.add(report, clip, None, digest)
    folder.figure(entry, clip, "", format, 3.5)
    first = (out / f"x.mp4.{format}").read_bytes()
    assert first.startswith(start)
    if format == "png":
        assert Image.open(io.BytesIO(first)).width == 1050
    if format == "svg":
        assert b'width="252pt"' in first and first.count(b"<image") == 3
    folder.save()
    later = OutputFolder(out, OPTIONS)
    later.figure(later.done(clip, digest), clip, "", format, 3.5)
    assert (out / f"x.mp4.{format}").read_bytes() == first


def test_pictures_of_an_earlier_call_are_no_media(clip, out):
    OutputFolder(out, OPTIONS).add(made(clip, people=1), clip, None, "0")
    (out / "mine.png").touch()
    assert [found.path for found in find_media([out.parent])] == [clip, out / "mine.png"]


def test_the_manifest_is_written_now_and_then(tmp_path, out, monkeypatch):
    written = []
    monkeypatch.setattr(writers, "write_atomic", lambda path, data: written.append(path.name))
    monkeypatch.setattr(writers, "SAVE_EVERY_S", 1000)
    folder = OutputFolder(out, OPTIONS)
    for k in range(5):
        folder.add(made(), tmp_path / f"{k}.mp4", None, "0")
    assert written.count(OUTPUTS) == 1 and len(written) == 5 * 3 + 1
    monkeypatch.setattr(writers, "SAVE_EVERY_S", 0)
    folder.add(made(), tmp_path / "5.mp4", None, "0")
    assert written.count(OUTPUTS) == 2
    monkeypatch.undo()
    folder.add(made(), tmp_path / "6.mp4", None, "0")
    folder.save()
    assert len(OutputFolder(out, OPTIONS).files) == 7


def test_a_page_reads_its_figures_from_the_folder(clip, out):
    entry = OutputFolder(out, OPTIONS).add(made(clip, people=1), clip, None, "0")
    assert entry.faces.jpeg == out / "x.mp4.faces.jpg"
    assert entry.thumbnails == ((0, out / "x.mp4.person0.png"),)
    page = "".join(recognition_html([entry]))
    for name in ("x.mp4.faces.jpg", "x.mp4.person0.png"):
        assert base64.b64encode((out / name).read_bytes()).decode() in page


def test_no_digest_of_what_is_no_plain_file(tmp_path):
    assert file_digest(tmp_path) is None
    assert file_digest(tmp_path / "gone") is None


def test_a_row_a_file_and_the_failed_ones_too():
    unmeasured = replace(made("b.mp4", people=2), thresholds={})
    text = summary_csv([made("a, b.mp4"), ("bad.mp4", "read bad.mp4: empty"), unmeasured], LABELS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [*HEAD, *LABELS, *TAIL]
    assert [row["file"] for row in rows] == ["a, b.mp4", "bad.mp4", "b.mp4"]
    assert [row["sure"] for row in rows] == ["true", "", ""]
    assert [row["people"] for row in rows] == ["", "", "2"]
    assert rows[0]["warnings"] == "one | two, three"
    assert float(rows[0]["happy"]) == float(rows[0]["confidence"]) == 0.75
    assert (rows[0]["read"], rows[0]["face"], rows[0]["voice"]) == ("1.0", "0.5", "0.25")
    assert rows[1]["error"] == "read bad.mp4: empty"
    assert not any(rows[1][name] for name in rows[1] if name not in ("file", "error"))


@pytest.mark.parametrize(
    ("sure", "wanted"),
    [
        (0.45, {"both": 0.45}),
        (None, {}),
        ({"both": 0.5, "face": None, "voice": 0.7}, {"both": 0.5, "voice": 0.7}),
    ],
)
def test_a_card_names_thresholds_by_stream_or_one_for_both(sure, wanted):
    assert thresholds_of({"temperature": 1.0, "sure": sure}) == wanted
    assert thresholds_of({}) == {}


@pytest.mark.parametrize("name", ["=1+1.mp4", "+1.mp4", "-1.mp4", "@x.mp4"])
def test_no_cell_of_a_csv_is_a_formula(name):
    report = made(name)
    rows = csv.DictReader(io.StringIO(summary_csv([report, (name, "=error")], LABELS)))
    assert [(row["file"], row["error"]) for row in rows] == [
        (f"'{name}", ""),
        (f"'{name}", "'=error"),
    ]
    (row,) = csv.DictReader(io.StringIO(report.to_csv()))
    assert row["file"] == f"'{name}" and report.to_dict()["file"] == name


def test_a_row_is_never_split():
    text = made("a\u2028b\x85c\x0bd\re.mp4").to_csv()
    assert len(text.splitlines()) == text.count("\n") == 2


def test_a_label_named_like_a_column_has_its_own():
    labels = ("file", "face", "x0")
    scores = dict(zip(labels, (0.5, 0.3, 0.2), strict=True))
    report = made()
    rows = tuple(replace(row, scores=scores) for row in report.timeline)
    report = replace(report, labels=labels, scores=scores, timeline=rows)
    (row,) = csv.DictReader(io.StringIO(summary_csv([report], labels)))
    assert (row["file"], row["face"], row["x0"]) == ("x.mp4", "0.5", "0.2")
    assert (row["file (score)"], row["face (score)"]) == ("0.5", "0.3")
    (row,) = csv.DictReader(io.StringIO(report.to_csv()))
    assert (row["file"], row["face"]) == ("x.mp4", "1.0")
    assert (row["file (score)"], row["face (score)"], row["x0 (score)"]) == ("0.5", "0.3", "0.2")
