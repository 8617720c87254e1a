"""The picture and the page of a report."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from avtca.plots.page import Entry, page
from avtca.plots.timeline import moments, timeline_figure
from avtca.recognize.report import MAIN, Coverage, Report, Thumbnail, TimelineRow

LABELS = ("happy", "sad")


def row(start, end, happy, person=0):
    scores = {} if happy is None else {"happy": happy, "sad": 1 - happy}
    return TimelineRow(start, end, scores, ("face",), 0.5, 0.25, person)


def report(rows, file="clip.mp4", thumbnails=()):
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
    text = report([row(0, 2, 0.8), row(2, 4, None, MAIN)]).to_csv()
    lines = text.splitlines()
    assert lines[0].endswith("happy,sad")
    assert lines[1].startswith("clip.mp4,0,2,0,happy,face")
    assert lines[2].endswith(",,")


def test_csv_is_written_where_asked(tmp_path):
    made = report([row(0, 2, 0.8)])
    assert made.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize("happy", [0.1, 0.9])
def test_top_is_the_highest(happy):
    assert row(0, 1, happy).top == ("happy" if happy > 0.5 else "sad")


def test_an_answer_below_the_measured_threshold_says_so():
    plain = report([row(0, 2, 0.8)])
    assert plain.sure is None and plain.certainty == "70%"
    unsure = dataclasses.replace(plain, sure_from=0.71)
    assert unsure.sure is False and unsure.certainty == "70%, not sure"
    assert unsure.to_dict()["sure"] is False
    assert "70%, not sure" in page([Entry(unsure, b"")], title="t", lead="l")
    assert dataclasses.replace(plain, sure_from=0.7).certainty == "70%"
