"""Reports: their confidence in words, CSV and JSON."""

import dataclasses
import json

import pytest
from small_reports import make_person, make_report, make_row

from avtca.recognize.report import NO_PERSON, Coverage, Report


def test_csv_has_a_row_a_window_and_empty_cells_for_gaps():
    rows = [make_row(0, 2, 0.8, box=(1.2, 2.0, 30.0, 40.9)), make_row(2, 4, None, NO_PERSON)]
    lines = make_report(rows).to_csv().splitlines()
    assert lines[0].endswith("happy,sad,x0,y0,x1,y1,speaking")
    assert lines[1].startswith("clip.mp4,0,2,0,happy,face")
    assert lines[1].endswith("0.8,0.2,1,2,30,41,")
    assert lines[2].endswith(",,,,,,")


def test_csv_is_written_to_the_given_path(tmp_path):
    made = make_report([make_row(0, 2, 0.8)])
    assert made.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize("happy", [0.1, 0.9])
def test_top_is_the_highest(happy):
    assert make_row(0, 1, happy).top == ("happy" if happy > 0.5 else "sad")


def test_the_confidence_is_compared_with_the_threshold():
    plain = make_report([make_row(0, 2, 0.8, used=("face", "voice"))])
    assert plain.confident is None and plain.certainty == "70% (no threshold)"
    below = dataclasses.replace(plain, thresholds={"both": 0.71})
    assert below.confident is False and below.certainty == "70% (below threshold)"
    assert below.to_dict()["sure"] is False
    above = dataclasses.replace(plain, thresholds={"both": 0.7})
    assert above.confident is True and above.certainty == "70%"
    assert above.to_dict()["sure_from"] == 0.7
    partly = dataclasses.replace(above, coverage=Coverage(0.5, 0.5, 0.25))
    assert partly.confident is False and partly.certainty == "70% (partly decoded)"


@pytest.mark.parametrize(
    ("used", "name"),
    [
        ([("face",)], "video only"),
        ([("voice",)], "audio only"),
        ([("face", "voice"), ("voice",)], "mixed input"),
    ],
)
def test_a_threshold_for_both_modalities_is_not_used_for_one(used, name):
    rows = [make_row(2 * i, 2 * i + 2, 0.8, used=each) for i, each in enumerate(used)]
    report = dataclasses.replace(make_report(rows), thresholds={"both": 0.1})
    assert report.confident is None and report.threshold is None
    assert report.to_dict()["sure"] is None
    assert report.certainty == f"70% (no threshold for {name})"
    if len(used) == 1:
        both = dataclasses.replace(report, thresholds={"both": 0.1, used[0][0]: 0.71})
        assert both.certainty == "70% (below threshold)"


def test_a_report_comes_back_from_its_json():
    used = ("face", "voice")
    rows = [
        make_row(0, 2, 0.9, 3, used, (1.0, 2.0, 30.0, 41.0)),
        make_row(2, 4, None, NO_PERSON, ()),
    ]
    sure = {"thresholds": {"both": 0.8}}
    people = (dataclasses.replace(make_person(3, 0.9), timeline=tuple(rows[:1]), **sure),)
    made = dataclasses.replace(make_report(rows), people=people, **sure)
    plain = made.to_dict()
    again = Report.from_dict(json.loads(json.dumps(plain)))
    assert again.to_dict() == plain
    assert again.to_csv() == made.to_csv()
    assert plain["people"][0]["box"] == [1, 2, 30, 41] and plain["people"][0]["seen_s"] == 1
    assert plain["persons"] == {"3": {"happy": 0.9, "sad": 0.1}}
