"""The picture and the page of a report."""

import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from avtca.plots.recognition_html import SHOWN, Entry, legend, page, short_names, table_cells
from avtca.plots.timeline import MAX_PEOPLE, moments, timeline_figure
from avtca.recognize.report import MAIN, Coverage, Person, Report, Thumbnail, TimelineRow

LABELS = ("happy", "sad")


def row(start, end, happy, person=0, used=("face",), box=None):
    scores = {} if happy is None else {"happy": happy, "sad": 1 - happy}
    return TimelineRow(start, end, scores, used, 0.5, 0.25, person, box)


def person(number, happy, seen_s=1.0, thumbnail=None):
    return Person(
        number=number,
        scores={"happy": happy, "sad": 1 - happy},
        timeline=(row(0, 2, happy, number),),
        coverage=Coverage(1.0, seen_s / 4, 0.25),
        thresholds={},
        seen_s=seen_s,
        first_s=0.0,
        last_s=2.0,
        box=(1.2, 2.0, 30.0, 40.9),
        at_s=0.5,
        thumbnail=thumbnail,
    )


def report(rows, file="clip.mp4", thumbnails=(), people=()):
    return Report(
        file=file,
        duration_s=4.0,
        labels=LABELS,
        scores={"happy": 0.7, "sad": 0.3},
        timeline=tuple(rows),
        coverage=Coverage(1.0, 0.5, 0.25),
        warnings=("a <note>",),
        model="test",
        thumbnails=thumbnails,
        people=tuple(people),
    )


def test_overlapping_windows_are_averaged_and_gaps_stay_gaps():
    rows = [row(0, 2, 0.8), row(1, 3, 0.4), row(3, 4, None, MAIN)]
    edges, shares = moments(rows, LABELS)
    assert edges.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(shares[:3, 0], [0.8, 0.6, 0.4])
    assert np.isnan(shares[3]).all()


def test_the_figure_draws_each_label_and_face():
    face = Thumbnail(1.0, 0, np.full((96, 96, 3), 200, np.uint8))
    figure = timeline_figure(report([row(0, 2, 0.8), row(2, 4, None)], thumbnails=(face,)))
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=60)
    picture = np.asarray(Image.open(data).convert("RGB"))
    assert picture.shape[1] > 600
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    names = {text.get_text() for axes in figure.axes for text in axes.get_yticklabels()}
    assert {"happy", "sad", "face", "voice"} <= names
    assert "clip.mp4" in figure.get_suptitle()


def test_the_page_escapes_what_users_name_their_files():
    made = report([row(0, 4, 0.7)], "<b>x&y.mp4")
    text = page([Entry(made, b"png", "sad")], [("bad<", "why & how")])
    assert "<b>x" not in text
    assert "&lt;b&gt;x&amp;y" in text
    assert "bad&lt;" in text
    assert "a &lt;note&gt;" in text
    assert "labelled sad" in text


def test_csv_has_a_row_a_window_and_empty_cells_for_gaps():
    rows = [row(0, 2, 0.8, box=(1.2, 2.0, 30.0, 40.9)), row(2, 4, None, MAIN)]
    lines = report(rows).to_csv().splitlines()
    assert lines[0].endswith("happy,sad,x0,y0,x1,y1")
    assert lines[1].startswith("clip.mp4,0,2,0,happy,face")
    assert lines[1].endswith("0.8,0.2,1,2,30,41")
    assert lines[2].endswith(",,,,,,")


def test_csv_is_written_where_action(tmp_path):
    made = report([row(0, 2, 0.8)])
    assert made.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize("happy", [0.1, 0.9])
def test_top_is_the_highest(happy):
    assert row(0, 1, happy).top == ("happy" if happy > 0.5 else "sad")


def test_an_answer_below_the_measured_threshold_says_so():
    both = ("face", "voice")
    plain = report([row(0, 2, 0.8, used=both)])
    assert plain.confident is None and plain.certainty == "70%"
    unsure = dataclasses.replace(plain, thresholds={"both": 0.71})
    assert unsure.confident is False and unsure.certainty == "70% (below threshold)"
    assert unsure.to_dict()["sure"] is False
    text = page([Entry(unsure, b"")], title="t", lead="l")
    assert "70% (below threshold)" in text and "under 71% with face and voice together" in text
    sure = dataclasses.replace(plain, thresholds={"both": 0.7})
    assert sure.confident is True and sure.certainty == "70%" and sure.to_dict()["sure_from"] == 0.7
    assert len(legend([sure])) == 1
    cut = dataclasses.replace(sure, coverage=Coverage(0.5, 0.5, 0.25))
    assert cut.confident is False and cut.certainty == "70% (partly decoded)"
    without = dataclasses.replace(cut, thresholds={})
    assert legend([without])[1:] == ["partly decoded: less than 90% of the file could be decoded"]


@pytest.mark.parametrize(
    ("used", "name"),
    [
        ([("face",)], "video only"),
        ([("voice",)], "audio only"),
        ([("face", "voice"), ("voice",)], "changing input"),
    ],
)
def test_what_was_not_measured_makes_no_claim(used, name):
    """A threshold for both says nothing of a stream alone, be it in one window."""
    rows = [row(2 * i, 2 * i + 2, 0.8, used=each) for i, each in enumerate(used)]
    made = dataclasses.replace(report(rows), thresholds={"both": 0.1})
    assert made.confident is None and made.threshold is None
    assert made.to_dict()["sure"] is None
    assert made.certainty == f"70% (no threshold for {name})"
    text = page([Entry(made, b"")])
    assert made.certainty in text
    assert "measured with face and voice together only" in text
    if len(used) == 1:
        of_its_own = dataclasses.replace(made, thresholds={"both": 0.1, used[0][0]: 0.71})
        assert of_its_own.certainty == "70% (below threshold)"


def test_people_have_rows_faces_and_timelines_of_their_own():
    face = Thumbnail(1.0, 3, np.full((96, 96, 3), 200, np.uint8))
    people = [person(3, 0.9, thumbnail=face), person(7, 0.2, seen_s=2.5)]
    made = report([row(0, 2, 0.9, 3), row(0, 2, 0.2, 7)], people=people)
    assert table_cells("clip.mp4", made)[1:] == [
        ["person 3", "happy", "90%", "1.0 s", ""],
        ["person 7", "sad", "80%", "2.5 s", ""],
    ]
    text = page([Entry(made, b"x", None, ((3, b"face of three"),))])
    assert text.count("<tr class=person>") == 2
    assert text.count("ZmFjZSBvZiB0aHJlZQ==") == 1
    one, two = timeline_figure(report([row(0, 2, 0.9, 3)])), timeline_figure(made)
    assert two.get_figheight() > one.get_figheight() + 1
    labels = [axes.get_ylabel() for axes in two.axes]
    assert {"person 3", "person 7"} <= set(labels)
    said = " ".join(text.get_text() for axes in two.axes for text in axes.texts)
    assert "seen 2.5 s" in said


def test_a_crowd_is_cut_to_those_seen_longest():
    crowd = [person(i, 0.5, seen_s=1 + i) for i in range(SHOWN + 5)]
    made = report([row(0, 2, 0.5)], people=crowd)
    names = [cells[0] for cells in table_cells("x", made)]
    assert names[1] == "person 5" and names[-1] == "5 more, in JSON and CSV"
    figure = timeline_figure(made)
    assert sum(axes.get_ylabel().startswith("person") for axes in figure.axes) == MAX_PEOPLE
    assert "more people" in figure.get_supxlabel()


def test_names_are_as_long_as_tells_them_apart():
    files = ["/s/a/x.mp4", "/s/b/x.mp4", "/s/y.mp4", "/t/y.mp4", "z.wav", "z.wav"]
    assert short_names(files) == ["a/x.mp4", "b/x.mp4", "s/y.mp4", "t/y.mp4", "z.wav", "z.wav"]
    first, second = report([row(0, 4, 0.7)], "/s/a/x.mp4"), report([row(0, 4, 0.7)], "/s/b/x.mp4")
    text = page([Entry(first, b""), Entry(second, b"")])
    assert "<h2>a/x.mp4</h2>" in text and "<td>b/x.mp4</td>" in text


def test_dollars_in_a_name_are_dollars():
    figure = timeline_figure(report([row(0, 2, 0.8)], "$a_{$.mp4"))
    figure.savefig(io.BytesIO(), format="png", dpi=30)


def test_a_report_comes_back_from_its_json():
    used = ("face", "voice")
    rows = [row(0, 2, 0.9, 3, used, (1.0, 2.0, 30.0, 41.0)), row(2, 4, None, MAIN, ())]
    sure = {"thresholds": {"both": 0.8}}
    people = (dataclasses.replace(person(3, 0.9), timeline=tuple(rows[:1]), **sure),)
    made = dataclasses.replace(report(rows), people=people, **sure)
    plain = made.to_dict()
    again = Report.from_dict(json.loads(json.dumps(plain)))
    assert again.to_dict() == plain
    assert again.to_csv() == made.to_csv()
    assert plain["people"][0]["box"] == [1, 2, 30, 41] and plain["people"][0]["seen_s"] == 1
    assert plain["persons"] == {"3": {"happy": 0.9, "sad": 0.1}}
