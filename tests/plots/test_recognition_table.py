"""The table of recognised files."""

import dataclasses

from small_reports import make_person, make_report, make_row

from avtca.plots.recognition_table import MAX_PEOPLE_LISTED, legend, short_names, table_rows
from avtca.recognize.report import Coverage


def test_people_have_their_own_rows():
    people = [make_person(3, 0.9), make_person(7, 0.2, seen_s=2.5)]
    report = make_report([make_row(0, 2, 0.9, 3), make_row(0, 2, 0.2, 7)], people=people)
    assert table_rows("clip.mp4", report)[1:] == [
        ("person 3", ("happy", "90% (no threshold)", "1.0 s", ""), 3),
        ("person 7", ("sad", "80% (no threshold)", "2.5 s", ""), 7),
    ]


def test_of_a_crowd_those_seen_longest_are_listed():
    people = [make_person(i, 0.5, seen_s=1 + i) for i in range(MAX_PEOPLE_LISTED + 5)]
    rows = table_rows("x", make_report([make_row(0, 2, 0.5)], people=people))
    assert rows[1].name == "person 5" and rows[-1].name == "5 more, in JSON and CSV"


def test_names_have_as_many_folders_as_make_them_distinct():
    files = ["/s/a/x.mp4", "/s/b/x.mp4", "/s/y.mp4", "/t/y.mp4", "z.wav", "z.wav"]
    assert short_names(files) == ["a/x.mp4", "b/x.mp4", "s/y.mp4", "t/y.mp4", "z.wav", "z.wav"]


def test_the_legend_explains_the_words_that_occur():
    both = make_report([make_row(0, 2, 0.8, used=("face", "voice"))])
    confident = dataclasses.replace(both, thresholds={"both": 0.7})
    assert len(legend([confident])) == 1
    partly = dataclasses.replace(both, coverage=Coverage(0.5, 0.5, 0.25))
    assert legend([partly])[1:] == ["partly decoded: less than 90% of the file could be decoded"]
    below = dataclasses.replace(both, thresholds={"both": 0.71})
    assert legend([below])[1:] == [
        "below threshold: confidence under 71% with face and voice together"
    ]
    never = dataclasses.replace(below, thresholds={"both": 0.71, "voice": 1.0})
    assert legend([never])[1].endswith("face and voice together, always with a voice alone")
    face = dataclasses.replace(make_report([make_row(0, 2, 0.8)]), thresholds={"both": 0.1})
    (line,) = legend([face])[1:]
    assert line.startswith("no threshold: none was measured for this input")
