"""The timeline figure."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from small_reports import make_person, make_report, make_row

from avtca.plots.timeline import timeline_figure
from avtca.plots.timeline_view import MAX_PEOPLE
from avtca.recognize.report import NO_PERSON, Thumbnail


def texts(figure):
    """Text inside the axes, without line breaks."""
    found = (text.get_text() for axes in figure.axes for text in axes.texts)
    return " ".join(" ".join(found).split())


def test_overlapping_windows_are_averaged_and_gaps_stay_gaps():
    rows = [make_row(0, 2, 0.8), make_row(1, 3, 0.4), make_row(3, 4, None, NO_PERSON)]
    edges, scores = make_report(rows).mean_scores()
    assert edges.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(scores[:3, 0], [0.8, 0.6, 0.4])
    assert np.isnan(scores[3]).all()


def test_the_figure_draws_each_label_and_face():
    face = Thumbnail(1.0, 0, np.full((96, 96, 3), 200, np.uint8))
    figure = timeline_figure(
        make_report([make_row(0, 2, 0.8), make_row(2, 4, None)], thumbnails=(face,))
    )
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=60)
    picture = np.asarray(Image.open(data).convert("RGB"))
    assert picture.shape[1] > 600
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    names = {text.get_text() for axes in figure.axes for text in axes.get_yticklabels()}
    assert {"happy", "sad", "face", "voice"} <= names
    assert "clip.mp4" in figure.get_suptitle()


def test_dollars_in_a_name_are_dollars():
    figure = timeline_figure(make_report([make_row(0, 2, 0.8)], "$a_{$.mp4"))
    figure.savefig(io.BytesIO(), format="png", dpi=30)


def test_people_have_their_own_timelines():
    people = [make_person(3, 0.9), make_person(7, 0.2, seen_s=2.5)]
    report = make_report([make_row(0, 2, 0.9, 3), make_row(0, 2, 0.2, 7)], people=people)
    one, two = timeline_figure(make_report([make_row(0, 2, 0.9, 3)])), timeline_figure(report)
    assert two.get_figheight() > one.get_figheight() + 1
    assert "person 3: happy 90% (no threshold), seen 1.0" in texts(two)
    assert "person 7: sad 80% (no threshold), seen 2.5" in texts(two)


def test_of_a_crowd_those_seen_longest_are_drawn():
    people = [make_person(i, 0.5, seen_s=1 + i) for i in range(MAX_PEOPLE + 3)]
    figure = timeline_figure(make_report([make_row(0, 2, 0.5)], people=people))
    names = re.findall(r"person (\d+):", texts(figure))
    assert names == [str(i) for i in range(3, MAX_PEOPLE + 3)]
    assert "3 more people" in texts(figure)


@pytest.mark.parametrize("width_in", [3.4, 7.0, 11.0])
def test_nothing_is_cut_off_at_any_width(width_in):
    face = Thumbnail(1.0, 0, np.zeros((96, 96, 3), np.uint8))
    rows = [make_row(0, 2, 0.8, 2), make_row(2, 4, 0.3, 5)]
    people = [make_person(2, 0.9), make_person(5, 0.2, thumbnail=face)]
    name = "a long name of a recording with many words.mp4"
    figure = timeline_figure(make_report(rows, name, (face,), people), width_in=width_in)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == width_in
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1


def test_a_timeline_explains_itself():
    rows = [make_row(0, 2, 0.8, 2), make_row(2, 3, None, NO_PERSON), make_row(3, 4, 0.3, 5)]
    figure = timeline_figure(make_report(rows))
    assert {"score, %"} <= {axes.get_ylabel() for axes in figure.axes}
    assert {"time, seconds"} <= {axes.get_xlabel() for axes in figure.axes}
    for part in ("share of each", "hatched: neither", "dashed: another person", "person 2"):
        assert part in texts(figure)


def test_one_window_is_not_a_block_of_one_colour():
    figure = timeline_figure(make_report([make_row(0, 4, 0.8)]))
    assert not any(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)
    assert "80%" not in texts(figure) and "70%" in texts(figure)
