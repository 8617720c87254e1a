"""What a report tells about several faces and about faces that never move."""

import dataclasses

import numpy as np
import pytest
from media_clips import encode
from recording_backend import RecordingBackend
from small_reports import make_report, make_row
from small_spec import RECOGNIZER_SPEC
from two_people import beside_a_listener

import avtca
from avtca.faces import best_detector
from avtca.media import open_media
from avtca.recognize import Recognizer, Report
from avtca.recognize.checks import _about_others, shares_audio
from avtca.recognize.prediction import BRIEF_FACE, FEW_FRAMES, SHARED_AUDIO, STILL_FACE
from avtca.recognize.sentences import predict_sentences
from avtca.speaker.speech import UNSEEN, Speech


@pytest.fixture(scope="module")
def recognizer():
    """Everything above zero would be confident."""
    return Recognizer(RecordingBackend(RECOGNIZER_SPEC, both=0.0, face=0.0), best_detector())


def test_a_photograph_beside_a_speaker(recognizer, shared):
    report = recognizer.predict(shared / "faults" / "poster.mp4", person="all")
    assert report.confident is False and report.certainty.endswith("% (still face)")
    assert report.doubts == (STILL_FACE,)
    photograph = max(report.people, key=lambda person: person.box[2] - person.box[0])
    (speaker,) = [person for person in report.people if person is not photograph]
    assert photograph.confident is False and photograph.doubts == (STILL_FACE,)
    assert speaker.confident is True and speaker.doubts == ()
    assert any(
        line.startswith("up to 2 faces in view, several for 100% of the video")
        and line.endswith(f"the largest steady one (person {photograph.number})")
        for line in report.warnings
    )
    assert any(line.startswith("a face that never moves in 100%") for line in report.warnings)
    again = Report.from_dict(report.to_dict())
    assert again.confident is False and again.doubts == report.doubts
    assert [person.doubts for person in again.people] == [one.doubts for one in report.people]


def test_a_listener_is_read_from_the_face_alone(recognizer, sample_clips, shared, tmp_path):
    path = beside_a_listener(sample_clips, shared, tmp_path / "two.mp4")
    report = recognizer.predict(path, person="all")
    assert report.doubts == ()
    speaker, listener = sorted(report.people, key=lambda one: -one.timeline[-1].speaking)
    assert speaker.box[0] < 240 < listener.box[0]
    for row in speaker.timeline:
        assert row.modalities == ("face", "voice")
        assert row.speaking == pytest.approx(row.voice, rel=0.05)
    for row in listener.timeline:
        assert row.modalities == ("face",) and row.speaking == 0
    assert speaker.confident is True and speaker.doubts == listener.doubts == ()
    (turn,) = report.speech
    assert turn.person == speaker.number and turn.end_s - turn.start_s > 1.5
    assert Report.from_dict(report.to_dict()).speech == report.speech
    silent = (
        "the voice is of another face than the largest, which is read "
        f"(person {listener.number}), in 100% of the windows with a voice: --person speaker "
        f"reads the person who speaks (person {speaker.number})"
    )
    assert silent in report.warnings
    spoken = recognizer.predict(path, person="speaker")
    assert {row.person for row in spoken.timeline} == {speaker.number}
    assert [line for line in spoken.warnings if "face" in line] == [
        "up to 2 faces in view, several for 100% of the video: the scores are of the person who "
        f"speaks (person {speaker.number})"
    ]


def test_the_speaker_is_read_instead_of_the_largest_face(recognizer, shared):
    """Beside a large photograph: its face is not read."""
    path = shared / "faults" / "poster.mp4"
    largest, spoken = (recognizer.predict(path, person=who) for who in ("main", "speaker"))
    assert largest.timeline[0].speaking == 0 and largest.timeline[0].modalities == ("face",)
    assert spoken.timeline[0].person != largest.timeline[0].person
    assert spoken.timeline[0].modalities == ("face", "voice") and spoken.doubts == ()


def test_a_silent_face_is_told_from_a_quarter_of_the_windows_on():
    rows = [make_row(2 * k, 2 * k + 2, 0.6, 0, ("face", "voice")) for k in range(5)]
    speaker, voiced = np.zeros(1000, np.int64), np.ones(1000, bool)
    speaker[800:] = 3
    assert _about_others(rows, Speech(speaker, voiced)) == []  # one of five
    speaker[400:580] = 5
    (line,) = _about_others(rows, Speech(speaker, voiced))
    assert "(person 0), in 40% of the windows" in line and line.endswith("(people 3, 5)")
    speaker[400:] = UNSEEN
    assert _about_others(rows, Speech(speaker, voiced)) == []


def test_two_people_share_one_sound_where_the_speaker_is_unknown():
    alone = make_row(0, 2, 0.6, 0, ("face", "voice"))
    both = dataclasses.replace(alone, others=(1,))
    assert shares_audio([both]) and not shares_audio([alone])
    assert not shares_audio([dataclasses.replace(both, speaking=0.5)])
    later = [make_row(2 * k, 2 * k + 2, 0.6, 0, ("face", "voice")) for k in (1, 2)]
    assert not shares_audio([both, *later])  # one window of three


@pytest.mark.parametrize("person", ["main", "all", "speaker"])
def test_the_speaker_of_two_in_view_is_undecided(recognizer, sample_clips, tmp_path, person):
    """At 12 frames a second nothing is decided: the voice may be that of the other face."""
    rgb = [frame.rgb for frame in open_media(sample_clips / "obama_speech.mp4").frames(12)][:36]
    voice = np.concatenate(list(open_media(sample_clips / "obama_speech.mp4").audio(48_000)))
    path = encode(tmp_path / "two.mp4", pictures=rgb, fps=12, audios=[voice[None, : 3 * 48_000]])
    report = recognizer.predict(path, person=person)
    assert report.main_timeline[0].modalities == ("face", "voice")
    assert report.confident is False and report.doubts == (SHARED_AUDIO,)
    assert all(one.doubts == (SHARED_AUDIO,) for one in report.people)
    (sentence,) = predict_sentences(recognizer, path, [(1.0, 2.8)], person=person)
    assert sentence.confident is False and sentence.doubts == (SHARED_AUDIO,)


def test_a_face_in_view_for_less_than_a_second(recognizer, sample_clips, tmp_path):
    """Of three seconds, 0.8 s have a face; a clip of 0.8 s has it all the time."""
    frames = open_media(sample_clips / "01-01-01-01-01-01-01.mp4").frames(10)
    face = [frame.rgb[::2, ::2] for frame in frames][:8]
    empty = [np.zeros_like(face[0])] * 22
    path = encode(tmp_path / "brief.mp4", pictures=face + empty)
    report = recognizer.predict(path, person="all")
    assert report.doubts == (BRIEF_FACE,) and report.certainty.endswith("% (brief face)")
    assert report.people[0].doubts == (BRIEF_FACE,)
    whole = recognizer.predict(encode(tmp_path / "whole.mp4", pictures=face))
    assert BRIEF_FACE not in whole.doubts
    longer = recognizer.predict(encode(tmp_path / "longer.mp4", pictures=face * 2 + empty))
    assert BRIEF_FACE not in longer.doubts


def test_a_video_of_one_photograph(recognizer, sample_clips, tmp_path):
    rgb = next(open_media(sample_clips / "01-01-01-01-01-01-01.mp4").frames(10)).rgb[::2, ::2]
    voice = np.concatenate(list(open_media(sample_clips / "obama_speech.mp4").audio(48_000)))
    path = encode(tmp_path / "photo.mp4", pictures=[rgb] * 40, audios=[voice[None, : 4 * 48_000]])
    report = recognizer.predict(path)
    assert report.main_timeline[0].modalities == ("face",) and report.doubts == (STILL_FACE,)
    assert any(row.modalities == ("voice",) for row in report.timeline)
    silent = encode(tmp_path / "silent.mp4", pictures=[rgb] * 40)
    assert recognizer.predict(silent).doubts == ()  # no voice that could be another's


@pytest.mark.parametrize(
    "name", ["talking/pwij3p.mpg", "corpora/cremad/1001_DFA_NEU_XX.flv", "samples/obama_speech.mp4"]
)
def test_a_person_who_holds_still_is_confident(recognizer, shared, name):
    report = recognizer.predict(shared / name)
    assert STILL_FACE not in report.doubts
    assert report.confident is ("obama" not in name)  # two in view at 12 frames a second
    assert not any("never moves" in line for line in report.warnings)
    assert any("up to 2 faces" in line for line in report.warnings) == ("obama" in name)


def test_a_frame_a_second_is_never_confident(recognizer, shared):
    report = recognizer.predict(shared / "faults" / "fps1.mp4")
    assert report.doubts == (FEW_FRAMES,) and report.confident is False


def test_a_doubt_is_told_and_kept():
    plain = make_report([make_row(0, 2, 0.8, used=("face", "voice"))])
    assert "doubts" not in plain.to_dict()
    doubted = dataclasses.replace(plain, thresholds={"both": 0.1}, doubts=(STILL_FACE,))
    assert doubted.to_dict()["doubts"] == ["still face"] and doubted.to_dict()["sure"] is False


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_clip_has_the_label_of_the_upright_one(corpora, tmp_path, quarters):
    clip = open_media(corpora / "cremad" / "1001_DFA_ANG_XX.flv")
    recognizer = avtca.load()
    upright = recognizer.predict(clip.path)
    pictures = [np.ascontiguousarray(np.rot90(f.rgb, quarters)) for f in clip.frames(25)]
    voice = np.concatenate(list(clip.audio(48_000)))[None]
    path = encode(tmp_path / "turned.mp4", pictures=pictures, fps=25, audios=[voice])
    report = recognizer.predict(path)
    assert report.top == upright.top == "angry"
    assert report.confidence == pytest.approx(upright.confidence, abs=0.1)
    assert report.coverage.face == pytest.approx(upright.coverage.face, abs=0.1)
    warning = "the faces are not upright: the video was turned"
    assert [line.startswith(warning) for line in report.warnings] == [True]
    assert not any(line.startswith(warning) for line in upright.warnings)
    x0, y0, x1, y1 = report.timeline[0].box
    assert np.allclose((x0, y0, x1, y1), upright.timeline[0].box, atol=12)


def test_an_upside_down_clip(recognizer, shared):
    report = recognizer.predict(shared / "faults" / "up.mp4")
    assert "the faces are not upright: the video was turned upside down" in report.warnings
