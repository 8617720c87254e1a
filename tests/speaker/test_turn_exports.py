"""Turns of speech in the formats of annotation programs, and in the picture."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from small_reports import make_report, make_row

from avtca.recognize.exports.file_time import in_file_time
from avtca.speaker import Turn

TURNS = (Turn(0.5, 1.5, 0, True), Turn(1.5, 2.0, None, None), Turn(2.25, 3.0, None, False))


@pytest.fixture
def report():
    rows = [make_row(0, 2, 0.6), make_row(2, 4, 0.6)]
    return replace(make_report(rows), speech=TURNS)


def test_rttm_of_the_turns(report):
    assert report.to_turns() == (
        "SPEAKER clip 1 0.500 1.000 <NA> <NA> person_0 <NA> <NA>\n"
        "SPEAKER clip 1 1.500 0.500 <NA> <NA> undecided <NA> <NA>\n"
        "SPEAKER clip 1 2.250 0.750 <NA> <NA> off_screen <NA> <NA>\n"
    )


def test_elan_has_a_tier_of_the_speakers(report):
    root = ElementTree.fromstring(report.to_eaf())
    (tier,) = [one for one in root.findall("TIER") if one.get("TIER_ID") == "speech"]
    values = [one.text for one in tier.iter("ANNOTATION_VALUE")]
    assert values == ["person 0", "undecided", "off screen"]
    assert tier.get("LINGUISTIC_TYPE_REF") == "speech"
    kinds = [one.get("LINGUISTIC_TYPE_ID") for one in root.findall("LINGUISTIC_TYPE")]
    assert "speech" in kinds
    assert 'TIER_ID="speech"' not in replace(report, speech=()).to_eaf()


def test_praat_has_a_tier_of_the_speakers(report):
    tier = report.to_textgrid().partition('name = "speech"')[2].partition("item [")[0]
    times = [line.split()[-1] for line in tier.splitlines() if "xmin" in line]
    texts = [line.split(" = ")[1] for line in tier.splitlines() if "text" in line]
    assert times[1:] == ["0", "0.5", "1.5", "2", "2.25", "3"]
    assert texts == ['""', '"person 0"', '"undecided"', '""', '"off screen"', '""']


def test_turns_of_a_part_are_on_the_clock_of_the_file(report):
    moved = in_file_time(replace(report, part=(10.0, 14.0)))
    assert [turn.start_s for turn in moved.speech] == [10.5, 11.5, 12.25]


def test_the_picture_has_a_lane_of_who_speaks(report):
    texts = [text.get_text() for axes in report.plot().axes for text in axes.texts]
    assert "off screen" in texts and "0" in texts
    labels = [one.get_text() for axes in report.plot().axes for one in axes.get_yticklabels()]
    assert "speaks" in labels
    none = replace(report, speech=TURNS[1:])
    labels = [one.get_text() for axes in none.plot().axes for one in axes.get_yticklabels()]
    assert "speaks" not in labels
