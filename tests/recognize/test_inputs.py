"""The same clip as a file, a file object and arrays gives the same report."""

import csv
import io
import logging
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from recording_backend import RecordingBackend
from small_spec import RECOGNIZER_SPEC as SPEC

import avtca
from avtca.errors import MediaError, MissingExtra
from avtca.labels import SEVEN
from avtca.media import open_media
from avtca.recognize import Recognizer

pytestmark = pytest.mark.slow


CLIPS = ["samples/01-01-01-01-01-01-01.mp4", "samples/obama_speech.mp4", "corpora/cremad/*HAP*"]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return avtca.load()


@pytest.fixture(params=CLIPS)
def path(request, shared) -> Path:
    return sorted(shared.glob(request.param))[0]


def decoded(path: Path) -> dict[str, object]:
    """What a user gets from PyAV: frames and timestamps, the waveform at the source rate."""
    clip = open_media(path)
    with av.open(path) as container:
        video = list(container.decode(video=0))
    frames = [frame.to_ndarray(format="rgb24") for frame in video]
    times = [float(frame.pts * frame.time_base - clip.zero) for frame in video]
    rate = clip.info.sample_rate
    wave = np.concatenate(list(clip.audio(rate)))
    return {"waveform": wave, "sample_rate": rate, "frames": frames, "timestamps": times}


def values(report: avtca.Report) -> dict[str, object]:
    return {
        key: value for key, value in report.to_dict().items() if key not in ("file", "warnings")
    }


def test_a_part_equals_the_arrays_of_that_part(recognizer, path):
    """Cut by hand from 0.5 to 1.7 s."""
    part = recognizer.predict(path, start_s=0.5, end_s=1.7)
    arrays = decoded(path)
    rate, times = arrays["sample_rate"], np.array(arrays["timestamps"])
    inside = (times >= 0.5) & (times < 1.7)
    arrays["frames"] = [arrays["frames"][k] for k in np.flatnonzero(inside)]
    arrays["timestamps"] = times[inside] - 0.5
    arrays["waveform"] = arrays["waveform"][round(0.5 * rate) : round(1.7 * rate)]
    wanted = recognizer.predict(arrays)
    assert part.duration_s == wanted.duration_s == 1.2
    assert part.file == f"{path}#t=0.5,1.7"
    # The waveform is cut before or after it is resampled, and half a second of audio is sensitive.
    assert part.scores == pytest.approx(wanted.scores, abs=0.1)
    assert part.coverage.read == 1
    assert avtca.Report.from_dict(part.to_dict()).part == (0.5, 1.7)
    segments = list(csv.DictReader(io.StringIO(part.to_tsv()), delimiter="\t"))
    assert {row["file"] for row in segments} == {str(path)}
    assert float(segments[0]["start_s"]) == 0.5 and float(segments[-1]["end_s"]) == 1.7
    with path.open("rb") as file:
        assert values(recognizer.predict(file, start_s=0.5, end_s=1.7)) == values(part)
    with pytest.raises(MediaError, match="arrays have no parts; slice them"):
        recognizer.predict(arrays, start_s=1)


def test_file_object_and_arrays_equal_the_file(recognizer, path):
    wanted = recognizer.predict(path, person="all")
    with path.open("rb") as file:
        found = recognizer.predict(file, person="all")
    assert found.to_dict() == wanted.to_dict()
    arrays = recognizer.predict(decoded(path), person="all")
    assert arrays.file == "arrays" and arrays.warnings == wanted.warnings
    # Frames of a file are reduced before they become RGB, arrays after: colours differ by rounding.
    assert arrays.scores == pytest.approx(wanted.scores, abs=0.03)
    assert arrays.coverage == wanted.coverage and arrays.top == wanted.top
    windows = [
        [(row.start_s, row.end_s, row.person) for row in each.timeline] for each in (arrays, wanted)
    ]
    assert windows[0] == windows[1]


def test_each_stream_alone_equals_the_stream_of_the_file(recognizer, sample_clips):
    arrays = decoded(sample_clips / "01-01-01-01-01-01-01.mp4")
    both = recognizer.predict(arrays)
    sound = recognizer.predict({key: arrays[key] for key in ("waveform", "sample_rate")})
    assert sound.modalities == ("voice",)
    assert sound.coverage.voice == both.coverage.voice
    face = recognizer.predict({key: arrays[key] for key in ("frames", "timestamps")})
    assert face.modalities == ("face",)
    assert [row.box for row in face.timeline] == [row.box for row in both.timeline]
    stacked = np.stack(arrays["frames"])
    same = recognizer.predict({"frames": stacked, "fps": 30_000 / 1001})
    assert values(same)["scores"] == values(face)["scores"]


def test_int16_and_channels(recognizer, sample_clips):
    arrays = decoded(sample_clips / "01-01-01-01-01-01-01.mp4")
    wave = np.round(arrays["waveform"] * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    whole = recognizer.predict({"waveform": wave, "sample_rate": arrays["sample_rate"]})
    stereo = np.stack([wave, wave]).astype(np.float64) / 2**15
    again = recognizer.predict({"waveform": stereo, "sample_rate": arrays["sample_rate"]})
    assert values(again) == values(whole)


def test_temporary_files_of_file_objects_are_deleted(
    recognizer, sample_clips, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = (sample_clips / "01-01-01-01-01-01-01.mp4").read_bytes()
    assert recognizer.predict(io.BytesIO(data)).file == "file object"
    with pytest.raises(MediaError, match="read file object: the file is empty"):
        recognizer.predict(io.BytesIO())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((3, 4)), "input of type ndarray"),
        (None, "input of type NoneType"),
        (io.StringIO("x"), "text mode"),
    ],
)
def test_other_inputs_are_refused_in_one_line(recognizer, source, message):
    with pytest.raises(MediaError, match=message) as caught:
        recognizer.predict(source)
    assert "\n" not in str(caught.value)


def test_a_closed_file_is_refused(recognizer, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    file = (tmp_path / "a.wav").open("rb")
    file.close()
    with pytest.raises(MediaError, match="closed file"):
        recognizer.predict(file)


NOISE = np.random.default_rng(0).standard_normal(48_000)


@pytest.mark.parametrize(
    ("wave", "cause"),
    [
        (0 * NOISE, "no video, and the audio is silent (above 60 Hz)"),
        (0.1 * NOISE[:1600], "no video, and the audio is too short (0.10 s)"),
        (
            0.0005 * NOISE,
            "no video, and no voice in the audio, whose loudest part is at -67 dBFS",
        ),
        (None, "no face of at least 40 pixels in 12 frames, and no audio"),
    ],
)
def test_the_cause_is_named_where_there_is_neither_a_face_nor_a_voice(recognizer, wave, cause):
    frames = {"frames": np.full((12, 90, 90, 3), 99, np.uint8), "fps": 10}
    source = frames if wave is None else {"waveform": wave, "sample_rate": 16_000}
    with pytest.raises(MediaError) as caught:
        recognizer.predict(source)
    assert caught.value.problem == f"there is neither a face nor a voice: {cause}"


def test_wind_without_a_face_is_no_voice(recognizer, sample_clips):
    cause = "no voice in the audio, whose loudest part is at -12 dBFS"
    with pytest.raises(MediaError, match=f"no face of at least 40 pixels in 6 frames, and {cause}"):
        recognizer.predict(sample_clips / "park.mp4")


def test_progress_is_reported_in_seconds(recognizer, sample_clips):
    seen = []
    report = recognizer.predict(
        sample_clips / "obama_speech.mp4", progress=lambda *at: seen.append(at)
    )
    assert {stage for stage, _, _ in seen} == {"recognise"}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1:] == (round(report.duration_s), round(report.duration_s))


def test_what_is_decoded_is_logged(recognizer, sample_clips, caplog):
    caplog.set_level(logging.DEBUG, "avtca")
    recognizer.predict(sample_clips / "01-01-01-01-01-01-01.mp4")
    assert any("h264" in message for message in caplog.messages)


def test_the_package_lists_its_names():
    assert {"AvtcaError", "ProgressHook", "Recognizer", "Report", "load"} <= set(dir(avtca))
    assert isinstance(logging.getLogger("avtca").handlers[0], logging.NullHandler)


def test_text_of_a_report(recognizer, sample_clips):
    report = recognizer.predict(sample_clips / "obama_speech.mp4", person="all")
    lines = str(report).splitlines()
    assert len(lines) <= 8 and all(len(line) < 120 for line in lines[1:])
    assert report.top in lines[0] and report.certainty in lines[0]
    assert all(label in lines[1] for label in SEVEN)
    assert any(line.startswith("  person 0: ") for line in lines)
    assert len(repr(report)) < 200 and "\n" not in repr(report)
    html = report._repr_html_()
    assert html.startswith("<section") and "data:image/png" in html


def test_data_frame_has_the_rows_of_the_csv(recognizer, sample_clips):
    pandas = pytest.importorskip("pandas")
    report = recognizer.predict(sample_clips / "obama_speech.mp4", person="all")
    frame = report.to_dataframe()
    wanted = pandas.read_csv(io.StringIO(report.to_csv()))
    pandas.testing.assert_frame_equal(frame, wanted, check_dtype=False)


def test_data_frame_without_pandas_names_the_package(monkeypatch, sample_clips):
    backend = RecordingBackend(SPEC)
    report = Recognizer(backend, avtca.load().detector).predict(
        sample_clips / "01-01-01-01-01-01-01.mp4"
    )
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pip install pandas"):
        report.to_dataframe()
