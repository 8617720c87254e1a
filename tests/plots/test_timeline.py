"""The timeline figure."""

import io

import numpy as np
from PIL import Image
from small_reports import make_person, make_report, make_row

from avtca.plots.timeline import MAX_PEOPLE, timeline_figure
from avtca.recognize.report import NO_PERSON, Thumbnail


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
    labels = [axes.get_ylabel() for axes in two.axes]
    assert {"person 3", "person 7"} <= set(labels)
    text = " ".join(text.get_text() for axes in two.axes for text in axes.texts)
    assert "seen 2.5 s" in text


def test_of_a_crowd_those_seen_longest_are_drawn():
    people = [make_person(i, 0.5, seen_s=1 + i) for i in range(MAX_PEOPLE + 3)]
    figure = timeline_figure(make_report([make_row(0, 2, 0.5)], people=people))
    names = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel().startswith("person")]
    assert names == [f"person {i}" for i in range(3, MAX_PEOPLE + 3)]
    assert "3 more people" in figure.get_supxlabel()
