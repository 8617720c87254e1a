"""Sentences of a recording: read once, each from the person who speaks it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from recording_backend import RecordingBackend
from small_reports import make_person, make_report, make_row
from small_spec import RECOGNIZER_SPEC
from two_people import beside_a_listener

import avtca
from avtca.cli.formats import Format
from avtca.cli.sentences import subtitles
from avtca.errors import ConfigError, MediaError
from avtca.faces import best_detector
from avtca.recognize import Recognizer
from avtca.recognize.exports.subtitles import sentences_srt, sentences_vtt
from avtca.recognize.segment_files import read_cues
from avtca.recognize.sentences import predict_sentences
from avtca.recognize.sheet import read_sheet
from avtca.speaker import Turn


def test_a_sentence_is_read_from_who_speaks_it(sample_clips, shared, tmp_path):
    recognizer = Recognizer(RecordingBackend(RECOGNIZER_SPEC, both=0.0), best_detector())
    path = beside_a_listener(sample_clips, shared, tmp_path / "two.mp4")
    long, short, beyond = predict_sentences(recognizer, path, [(0.44, 2.4), (1.5, 2.0), (8, 9)])
    assert isinstance(beyond, MediaError) and "the file ends after 3.00 s" in str(beyond)
    assert long.file == f"{path}#t=0.44,2.4" and long.part == (0.44, 2.4)
    assert long.duration_s == pytest.approx(1.96)
    assert short.timeline[0].start_s == pytest.approx(0) and short.duration_s == pytest.approx(0.5)
    (number,) = {row.person for report in (long, short) for row in report.timeline}
    assert long.timeline[-1].end_s == pytest.approx(1.96)
    assert all(row.box[0] < 240 for row in (*long.timeline, *short.timeline))
    assert short.read_person == (number, pytest.approx(1.0, abs=0.05))
    (turn,) = short.speech
    assert (turn.start_s, turn.end_s, turn.person) == (0, pytest.approx(0.5), number)
    listened = predict_sentences(recognizer, path, [(1.5, 2.0)], person="main")[0]
    assert listened.timeline[0].box[0] > 240


def test_given_windows_are_those_of_the_grid(shared):
    """The same rows, from one reading; windows may overlap, and leave gaps."""
    recognizer = Recognizer(RecordingBackend(RECOGNIZER_SPEC, both=0.0), best_detector())
    path = shared / "talking" / "pwij3p.mpg"
    grid = recognizer.predict(path, window_s=1.0)
    spans = [(row.start_s, row.end_s) for row in grid.timeline]
    given = recognizer.predict(path, windows=spans)
    assert given.timeline == grid.timeline and given.coverage == grid.coverage
    ends = recognizer.predict(path, windows=[(0.0, 0.5), spans[-1]])
    assert ends.timeline[-1].scores == pytest.approx(grid.timeline[-1].scores, abs=1e-5)
    assert ends.coverage.face > 0.95
    for bad in ([(1.0, 0.5)], [(-0.5, 0.5)], [(1.0, 1.5), (0.0, 1.0)], [(0.0, 9.0)]):
        with pytest.raises(ConfigError, match=r"read the window from .* windows ascend from 0 s"):
            recognizer.predict(path, windows=bad)


def test_doubts_of_a_sentence_are_those_of_its_windows(sample_clips):
    """Doubts of three sentences, and of their persons, whatever those of the recording are."""
    used = ("face", "voice")
    rows = [make_row(start, start + 2, 0.9, start // 2, used) for start in (0, 2, 4)]
    rows[0], rows[2] = replace(rows[0], still=True), replace(rows[2], others=(0,))
    people = [replace(make_person(row.person, 0.9), doubts=("brief face",)) for row in rows]
    whole = replace(make_report(rows, people=people), duration_s=6.0, doubts=("few frames",))
    fake = SimpleNamespace(
        backend=SimpleNamespace(spec=RECOGNIZER_SPEC),
        steps=lambda *_: (round(2 * RECOGNIZER_SPEC.video_rate),) * 2,
        predict=lambda *_, **__: whole,
    )
    path = sample_clips / "obama_speech.mp4"
    made = predict_sentences(fake, path, [(0, 2), (2, 4), (4, 6)])
    found = [one.doubts for one in made]
    assert found == [("few frames", "still face"), ("few frames",), ("few frames", "shared audio")]
    assert [one.people[0].doubts for one in made] == [("still face",), (), ("shared audio",)]


def sentence(speech, part, scores=0.79):
    rows = [make_row(0, 2, scores, 1, ("face", "voice"))]
    return replace(make_report(rows, f"x.mp4#t={part[0]},{part[1]}"), part=part,
                   duration_s=part[1] - part[0], speech=speech)  # fmt: skip


def test_subtitles_name_the_speaker_of_each_sentence():
    mine = sentence((Turn(0, 0.4, 0, True), Turn(0.4, 2.0, 1, True)), (1.5, 3.5))
    unknown = sentence((Turn(0, 2, None, None),), (4.0, 6.0))
    given = [(mine, "Kids & dogs"), (unknown, "")]
    assert sentences_vtt(given).split("\n\n")[2:] == [
        "1\n00:00:01.500 --> 00:00:03.500\n"
        "<v person 1>[happy 70% (no threshold)] Kids &amp; dogs</v>",
        "2\n00:00:04.000 --> 00:00:06.000\n[happy 70% (no threshold)]\n",
    ]
    assert sentences_srt(given).split("\n\n") == [
        "1\n00:00:01,500 --> 00:00:03,500\nperson 1: [happy 70% (no threshold)] Kids & dogs",
        "2\n00:00:04,000 --> 00:00:06,000\n[happy 70% (no threshold)]\n",
    ]


def test_subtitles_of_a_conversation_have_its_turns(tmp_path):
    rows = [make_row(0, 4, 0.79, person) for person in (0, 1)]
    turns = (Turn(0.5, 1.5, 1, True), Turn(1.5, 2, None, None), Turn(2, 3, None, False))
    report = replace(make_report(rows), duration_s=4.0, speech=turns)
    cues = [block.split("\n") for block in report.to_vtt().split("\n\n") if "-->" in block]
    assert [(times[:12], text) for _, times, text, *_ in cues][2:] == [
        ("00:00:00.500", "<v person 1>person 1: speaks</v>"),
        ("00:00:02.000", "<v off screen>off screen: speaks</v>"),
    ]
    assert "\n00:00:02,000 --> 00:00:03,000\noff screen: speaks\n" in report.to_srt()
    for text in (report.to_vtt(), report.to_srt()):
        again = list(read_cues(tmp_path, text))
        assert [one.text[:8] for one in again] == ["person 0", "person 1"]
        assert not any("speaks" in one.text for one in again)
    alone = replace(make_report(rows[:1]), speech=(Turn(0.5, 1.5, 0, True),))
    assert "speaks" not in alone.to_vtt()


def test_the_person_of_a_report_is_that_of_most_of_its_time():
    rows = [make_row(0, 2, 0.6, 0), make_row(2, 6, 0.6, 3), make_row(6, 8, 0.6, 3)]
    shares = [replace(row, speaking=share) for row, share in zip(rows, (1, 0.5, None), strict=True)]
    assert make_report(shares).read_person == (3, None)
    shares[2] = replace(shares[2], speaking=0.25)
    assert make_report(shares).read_person == (3, pytest.approx(0.375))
    voice = [make_row(0, 2, 0.6, avtca.recognize.report.NO_PERSON, ("voice",))]
    assert make_report(voice).read_person == (None, None)


def test_texts_of_subtitles_stay_with_their_segments(tmp_path):
    """The second of three segments could not be read."""
    path = tmp_path / "x.csv"
    path.write_text("Text,start,end\nfirst,1.5,3.5\nsecond,9,8\nthird,4,6\n")
    sheet = read_sheet(path, ("start", "end"), tmp_path / "x.mp4")
    speaks = (Turn(0, 2, 1, True),)
    results = [sentence(speaks, (1.5, 3.5)), ("x.mp4#t=9,8", "error"), sentence((), (4.0, 6.0))]
    call = SimpleNamespace(joined=SimpleNamespace(sheet=sheet), results=results)
    texts = [line for line in subtitles(call, Format.srt).split("\n") if "happy" in line]
    assert texts == [
        "person 1: [happy 70% (no threshold)] first",
        "[happy 70% (no threshold)] third",
    ]
    assert "<v person 1>[happy 70% (no threshold)] first</v>" in subtitles(call, Format.vtt)
