"""What a timeline shows over time."""

import numpy as np
import pytest
from small_reports import make_report, make_row

from avtca.plots.timeline_values import (
    MAX_STEPS,
    clock,
    coarser,
    coverage_steps,
    label_place,
    person_spans,
    score_bands,
    spread,
    ticks,
    time_title,
)
from avtca.plots.timeline_view import band_path, timeline_view
from avtca.recognize.report import NO_PERSON


def test_bands_are_stacked_from_the_top_in_the_order_of_labels():
    edges, (happy, sad) = score_bands(make_report([make_row(0, 2, 0.8), make_row(1, 3, 0.4)]))
    assert edges.tolist() == [0, 1, 2, 3] and (happy.label, sad.label) == ("happy", "sad")
    np.testing.assert_allclose(happy.high, [1, 1, 1])
    np.testing.assert_allclose(happy.low, [0.2, 0.4, 0.6])
    np.testing.assert_allclose(sad.high, happy.low)
    np.testing.assert_allclose(sad.low, [0, 0, 0], atol=1e-9)


def test_a_path_goes_round_a_band_in_steps_and_leaves_gaps():
    edges, bands = score_bands(
        make_report([make_row(0, 1, 0.75), make_row(1, 2, None, NO_PERSON), make_row(2, 4, 0.5)])
    )
    assert band_path(edges, bands[0], 4.0) == "M0 0V0H250V75H0ZM500 0V0H1000V50H500Z"
    assert np.isnan(bands[1].high).tolist() == [False, True, False]


def test_a_label_is_where_its_band_has_room():
    edges, zero = np.array([0.0, 1, 2, 10]), np.zeros(3)
    assert label_place(edges, zero, np.array([0.1, 0.1, 0.4])) == (6.0, 0.2)
    assert label_place(edges, zero, np.array([0.1, 0.1, 0.1])) is None
    assert label_place(edges, zero, np.array([np.nan, np.nan, np.nan])) is None
    assert label_place(edges, zero, np.array([1.0, 0.1, 0.1])) is None  # too narrow


def test_a_long_recording_is_drawn_with_means():
    edges = np.arange(0, 4 * MAX_STEPS + 1) * 0.5
    values = np.tile([[0.0], [1.0], [0.5], [np.nan]], (MAX_STEPS, 1))
    values[:4] = np.nan
    new, means = coarser(edges, values)
    assert len(new) == MAX_STEPS + 1 and (new[0], new[-1]) == (edges[0], edges[-1])
    assert np.isnan(means[0]).all()
    np.testing.assert_allclose(means[1:], 0.5)
    assert coarser(edges[:5], values[:4])[0] is not new


def test_coverage_is_the_mean_of_the_windows_of_a_moment():
    edges, shares = coverage_steps(make_report([make_row(0, 2, 0.8), make_row(1, 3, None)]))
    assert edges.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(shares, [[0.5, 0.25]] * 3)


def test_a_change_of_person_lies_between_the_centres_of_two_windows():
    rows = [make_row(0, 2, 0.8, 2), make_row(1, 3, 0.8, 2), make_row(2, 4, 0.8, 9)]
    assert person_spans(make_report(rows)) == [(2, 0, 2.5), (9, 2.5, 4)]
    audio = [make_row(0, 2, 0.8, NO_PERSON, ("voice",)), make_row(2, 4, 0.8, 0)]
    assert person_spans(make_report(audio)) == [(None, 0, 2.0), (0, 2.0, 4)]
    view = timeline_view(make_report(rows), None)
    assert [(span.text, span.left) for span in view.spans] == [("person 2", 0), ("person 9", 62.5)]
    assert timeline_view(make_report(rows[:2]), None).spans == []


@pytest.mark.parametrize("count", [1, 18, 500])
def test_faces_never_overlap_and_stay_inside(count):
    times = np.linspace(0, 10, count)
    view = spread(times, 10.0, 9)
    places = np.clip(times[view] / 10, 0.5 / 9, 1 - 0.5 / 9)
    assert all(np.diff(places) >= 1 / 9 - 1e-6) and len(view) <= 9


def test_ticks_are_round_and_in_the_units_of_the_title():
    assert [text for _, text in ticks(3.3)] == ["0", "0.5", "1", "1.5", "2", "2.5", "3"]
    assert [text for _, text in ticks(400)] == [
        "0:00",
        "1:00",
        "2:00",
        "3:00",
        "4:00",
        "5:00",
        "6:00",
    ]
    assert clock(3661, 7200) == "1:01:01"
    titles = [time_title(end).removeprefix("time, ") for end in (3, 400, 4000)]
    assert titles == ["seconds", "minutes:seconds", "hours:minutes:seconds"]


def test_one_window_has_no_scores_over_time():
    assert timeline_view(make_report([make_row(0, 4, 0.7)]), None).scores is None
    view = timeline_view(make_report([make_row(0, 2, 0.7), make_row(2, 4, 0.7)]), None)
    assert [path.label for path in view.scores.paths] == ["happy", "sad"]
    assert [place.text for place in view.scores.labels] == ["happy", "sad"]
