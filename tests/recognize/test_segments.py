"""Segments from windows: the rule, on windows whose means are worked out by hand."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from small_reports import make_person, make_report, make_row

from avtca.recognize.exports.file_time import in_file_time
from avtca.recognize.exports.segments import HYSTERESIS, MIN_LENGTH_S, by_track, make_segments
from avtca.recognize.report import NO_PERSON, Report


def cut(rows, **changes):
    report = replace(make_report(rows), **{"duration_s": rows[-1].end_s if rows else 4, **changes})
    return [(one.track, one.start_s, one.end_s, one.label) for one in make_segments(report)]


def test_overlapping_windows_become_segments_of_their_mean():
    rows = [make_row(0, 4, 0.9), make_row(2, 6, 0.3), make_row(4, 8, 0.2)]
    report = replace(make_report(rows), duration_s=8.0)
    happy, sad = make_segments(report)
    assert (happy.start_s, happy.end_s, happy.label) == (0, 4, "happy")
    assert happy.scores == {"happy": 0.75, "sad": 0.25}  # 2 s of 0.9, 2 s of 0.6
    assert (sad.start_s, sad.end_s, sad.label, sad.confidence) == (4, 8, "sad", 0.775)
    assert [row.start_s for row in happy.timeline] == [0, 2]
    assert [row.start_s for row in sad.timeline] == [2, 4]


def test_a_label_changes_only_where_another_leads_by_the_hysteresis():
    assert HYSTERESIS == 0.1
    near = [make_row(0, 2, 0.6), make_row(2, 4, 0.46)]
    assert cut(near) == [("person 0", 0, 4, "happy")]
    assert make_segments(make_report(near))[0].scores == {"happy": 0.53, "sad": 0.47}
    far = [make_row(0, 2, 0.6), make_row(2, 4, 0.45)]
    assert [one[1:] for one in cut(far)] == [(0, 2, "happy"), (2, 4, "sad")]
    back = [make_row(0, 2, 0.6), make_row(2, 4, 0.4), make_row(4, 6, 0.54)]
    assert [one[1:] for one in cut(back)] == [(0, 2, "happy"), (2, 6, "sad")]


def test_short_segments_join_the_better_neighbour():
    assert MIN_LENGTH_S == 1
    between = [make_row(0, 2, 0.9), make_row(2, 2.9, 0.1), make_row(2.9, 5, 0.9)]
    assert cut(between) == [("person 0", 0, 5, "happy")]
    first = [make_row(0, 0.9, 0.1), make_row(0.9, 3, 0.9)]
    assert cut(first) == [("person 0", 0, 3, "happy")]
    alone = [make_row(0, 0.5, 0.1), make_row(1, 3, 0.9)]
    assert [one[1:] for one in cut(alone)] == [(0, 0.5, "sad"), (1, 3, "happy")]
    long_enough = [make_row(0, 2, 0.9), make_row(2, 3, 0.1), make_row(3, 5, 0.9)]
    assert len(cut(long_enough)) == 3


def test_people_and_audio_alone_have_tracks():
    rows = [
        make_row(0, 2, 0.9, 1),
        make_row(0, 2, 0.2, 0),
        make_row(2, 4, 0.8, NO_PERSON, ("voice",)),
        make_row(4, 6, None, NO_PERSON, ()),
    ]
    assert cut(rows) == [
        ("person 0", 0, 2, "sad"),
        ("person 1", 0, 2, "happy"),
        ("audio", 2, 4, "happy"),
    ]


def test_gaps_split_and_nothing_goes_beyond_the_clip():
    rows = [make_row(0, 2, 0.9), make_row(2, 4, None), make_row(4, 7.6, 0.9)]
    assert [one[1:] for one in cut(rows, duration_s=5.0004)] == [(0, 2, "happy"), (4, 5, "happy")]
    assert cut([make_row(0, 3.6, 0.9)], duration_s=1.2) == [("person 0", 0, 1.2, "happy")]
    assert cut([]) == []
    assert by_track([]) == {"audio": []}


def test_segments_of_a_person_lie_where_the_face_was():
    rows = [make_row(0, 4, 0.9, 1), make_row(2, 6, 0.1, 1), make_row(4, 8, 0.1, 1)]
    person = replace(make_person(1, 0.5), first_s=1.5, last_s=5.2504)
    assert cut(rows, people=(person,)) == [
        ("person 1", 1.5, 4, "happy"),
        ("person 1", 4, 5.25, "sad"),
    ]
    short = replace(person, first_s=3.5, last_s=3.8)
    assert cut(rows, people=(short,)) == [("person 1", 3.5, 3.8, "happy")]
    late = replace(person, first_s=3.5, last_s=4.75)
    assert cut(rows, people=(late,)) == [("person 1", 3.5, 4.75, "sad")]


def test_segments_of_a_part_are_on_the_clock_of_its_file():
    rows = [make_row(0, 4, 0.9, 1), make_row(2, 6, 0.1, 1)]
    person = replace(make_person(1, 0.5), first_s=1.5, last_s=5.25)
    report = replace(make_report(rows, "x.mp4#t=10,16"), duration_s=6.0, people=(person,))
    whole = in_file_time(replace(report, part=(10.0, 16.0)))
    assert (whole.file, whole.duration_s) == ("x.mp4", 16.0)
    assert [(one.start_s, one.end_s) for one in make_segments(whole)] == [(11.5, 14), (14, 15.25)]


def test_unsure_segments_are_marked_as_in_the_report():
    rows = [make_row(0, 2, 0.9, 0, ("face", "voice")), make_row(2, 4, 0.3, 0, ("face", "voice"))]
    report = replace(make_report(rows), thresholds={"both": 0.8})
    assert [one.certainty for one in make_segments(report)] == ["90%", "70% (below threshold)"]
    audio = [make_row(0, 2, 0.9, NO_PERSON, ("voice",))]
    (one,) = make_segments(replace(make_report(audio), thresholds={"both": 0.8}))
    assert one.certainty == "90% (no threshold for audio only)" and one.confident is None
    still = replace(report, doubts=("still face",))
    assert {one.certainty for one in make_segments(still)} == {
        "90% (still face)",
        "70% (still face)",
    }
    person = replace(make_person(0, 0.9), doubts=("few frames",))
    one = make_segments(replace(report, people=(person,)))[0]
    assert (one.certainty, one.confident) == ("90% (few frames)", False)
    partly = replace(report, coverage=replace(report.coverage, read=0.5))
    assert make_segments(partly)[0].certainty == "90% (partly decoded)"


@pytest.mark.parametrize("seed", range(20))
def test_segments_cover_what_has_scores_once(seed):
    rng = np.random.default_rng(seed)
    hop = rng.choice([0.1, 0.3, 1.8])
    rows = [
        make_row(i * hop, i * hop + 3.6, None if rng.random() < 0.3 else rng.random())
        for i in range(60)
    ]
    report = replace(make_report(rows), duration_s=rows[-1].end_s)
    segments = make_segments(report)
    edges, scores = report.mean_scores()
    scored = sum(np.diff(edges)[~np.isnan(scores).any(axis=1)])
    assert sum(one.end_s - one.start_s for one in segments) == pytest.approx(scored, abs=1e-2)
    for one, after in pairwise(segments):
        assert one.end_s <= after.start_s
        touches = one.end_s == after.start_s
        assert not touches or one.label != after.label
        assert not touches or min(one.end_s - one.start_s, after.end_s - after.start_s) > 0.998
    assert make_segments(Report.from_dict(report.to_dict())) == segments
