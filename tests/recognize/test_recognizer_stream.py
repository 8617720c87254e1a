"""Windows of the recognizer's stream on real clips: those of `preprocess`, exactly."""

from dataclasses import replace

import av
import numpy as np
import pytest
from recording_backend import RecordingBackend
from small_spec import RECOGNIZER_SPEC as SPEC

from avtca import preprocess
from avtca.errors import ConfigError, MediaError
from avtca.faces import best_detector
from avtca.labels import SEVEN
from avtca.media import open_media
from avtca.recognize.recognizer import Recognizer
from avtca.recognize.report import NO_PERSON


@pytest.fixture(scope="module")
def detector():
    return best_detector()


@pytest.fixture
def recognizer(detector):
    return Recognizer(RecordingBackend(SPEC), detector)


@pytest.mark.parametrize(
    "name", ["../talking/bbaf2n.mpg", "01-01-01-01-01-01-01.mp4", "obama_speech.mp4"]
)
@pytest.mark.parametrize("hop_s", [None, 0.5])
def test_windows_start_where_preprocess_places_them(recognizer, sample_clips, name, hop_s):
    report = recognizer.predict(sample_clips / name, hop_s=hop_s)
    wanted = preprocess.window_start_steps(report.duration_s, SPEC, hop_s)
    assert [round(row.start_s * SPEC.video_rate) for row in report.timeline] == wanted
    assert report.timeline[-1].end_s == pytest.approx(report.duration_s)
    assert report.timeline[0].start_s == 0


def test_audio_of_a_window_is_that_of_the_whole_file(recognizer, sample_clips):
    path = sample_clips / "01-01-01-01-01-01-01.mp4"
    report = recognizer.predict(path)
    wave = np.concatenate(list(open_media(path).audio(SPEC.sample_rate)))
    batch = recognizer.backend.batches[0]
    for i, row in enumerate(report.timeline):
        if "voice" not in row.modalities:
            assert not batch.audio_mask[i].any()
            continue
        first = round(row.start_s * SPEC.sample_rate)
        cut = wave[first : first + SPEC.window_samples]
        audio, mask = preprocess.audio_window(cut, SPEC)
        np.testing.assert_array_equal(batch.audio[i], audio)
        np.testing.assert_array_equal(batch.audio_mask[i], mask)


@pytest.mark.slow
def test_faces_are_seen_where_they_are(recognizer, sample_clips):
    late = recognizer.predict(sample_clips / "noface_face.mov")
    assert late.timeline[0].face == 0
    assert late.timeline[-1].face > 0.5
    assert 0.2 < late.coverage.face < 0.7
    assert any("of the clip" in warning for warning in late.warnings)
    nobody = recognizer.predict(sample_clips / "no_face.mp4")
    assert nobody.coverage.face == 0
    assert nobody.modalities == ("voice",)
    assert all(row.person == NO_PERSON for row in nobody.timeline)
    assert any("no face" in warning for warning in nobody.warnings)


@pytest.mark.slow
def test_two_men_are_two_persons(recognizer, sample_clips):
    everyone = recognizer.predict(sample_clips / "obama_speech.mp4", person="all")
    assert len(everyone.persons) == 2
    starts = [row.start_s for row in everyone.timeline]
    assert len(starts) == 2 * len(set(starts))
    assert everyone.coverage.face > 0.9
    for person in everyone.people:
        assert person.scores == everyone.persons[person.number]
        assert person.seen_s == pytest.approx(person.coverage.face * everyone.duration_s)
        assert 0 <= person.first_s <= person.at_s < person.last_s <= everyone.duration_s
        assert {row.person for row in person.timeline} == {person.number}
        assert person.thumbnail.rgb.shape == (96, 96, 3)
        x0, y0, x1, y1 = person.box
        assert 20 < x1 - x0 < 300 and 20 < y1 - y0 < 300
        for row in person.timeline:  # nobody walks about
            assert np.abs(np.subtract(row.box, person.box)).max() < 0.5 * (x1 - x0)
    boxes = [person.box for person in everyone.people]
    assert boxes[0][2] < boxes[1][0] or boxes[1][2] < boxes[0][0]
    one = recognizer.predict(sample_clips / "obama_speech.mp4")
    assert one.persons == {} and one.people == ()
    assert one.scores == everyone.scores
    assert all(row.box for row in one.timeline)
    assert len({row.person for row in one.timeline}) == 1


def test_each_crop_goes_through_the_network_once(recognizer, sample_clips):
    report = recognizer.predict(sample_clips / "01-01-01-01-01-01-01.mp4", hop_s=0.2)
    steps = round(report.coverage.face * report.duration_s * SPEC.video_rate)
    assert recognizer.backend.crops_seen == steps


def test_window_and_hop_that_cannot_be(recognizer, sample_clips):
    clip = sample_clips / "park.mp4"
    nan, inf = float("nan"), float("inf")
    windows = [{"window_s": x} for x in (9.0, 0.01, nan, inf)]
    for kwargs in (*windows, *({"hop_s": x} for x in (0.0, 5.0, nan, inf)), {"person": "both"}):
        with pytest.raises(ConfigError):
            recognizer.predict(clip, **kwargs)


def test_a_shorter_window_masks_the_rest(recognizer, sample_clips):
    report = recognizer.predict(sample_clips / "01-01-01-01-01-01-01.mp4", window_s=0.8)
    batch = recognizer.backend.batches[0]
    assert not batch.video_mask[:, 8:].any()
    assert not batch.audio_mask[:, 80:].any()
    assert report.timeline[0].end_s == pytest.approx(0.8)


def test_neither_face_nor_voice_is_one_clear_line(recognizer, tmp_path):
    import wave

    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(bytes(64_000))
    with pytest.raises(MediaError, match="neither a face nor a voice"):
        recognizer.predict(path)


def test_a_picture_is_read_from_the_face(recognizer, sample_clips, tmp_path):
    from PIL import Image

    frame = next(iter(open_media(sample_clips / "01-01-01-01-01-01-01.mp4").frames(1.0)))
    path = tmp_path / "face.png"
    Image.fromarray(frame.rgb).save(path)
    report = recognizer.predict(path)
    assert report.modalities == ("face",)
    assert len(report.timeline) == 1
    assert any("no audio" in warning for warning in report.warnings)


def test_an_audio_file_is_recognised_from_the_voice(recognizer, corpora):
    flac = next(iter(sorted((corpora / "ravdess" / "audio").glob("*.flac"))))
    report = recognizer.predict(flac)
    assert report.modalities == ("voice",)
    assert any("no video" in warning for warning in report.warnings)


def test_training_and_service_make_the_same_input(sample_clips, tmp_path, detector):
    """A clip prepared for training and the same clip recognised: bit for bit."""
    from avtca.corpora import PreparedCorpus, build_cache, index_corpus

    spec = replace(SPEC.of_media(48, "grey"), labels=SEVEN)
    source = tmp_path / "clips" / "neutral"
    source.mkdir(parents=True)
    (source / "one.mp4").write_bytes((sample_clips / "01-01-01-01-01-01-01.mp4").read_bytes())
    layout = index_corpus("folder", tmp_path / "clips", spec)
    build_cache(layout, tmp_path / "cache", spec, workers=0, lossless=True)
    corpus = PreparedCorpus.open(tmp_path / "cache")
    trained = corpus.windows(corpus.samples[0])

    backend = RecordingBackend(spec)
    report = Recognizer(backend, detector).predict(source / "one.mp4")
    served = backend.batches[0]
    first = slice(len(report.timeline))  # then the same from the face and from the voice alone
    assert len(trained) == len(report.timeline) == len(served.video[first])
    np.testing.assert_array_equal(served.video_mask[first], trained.video_mask)
    np.testing.assert_array_equal(served.video[first], trained.video)
    heard = served.audio_mask[first].any(axis=1)
    assert heard.any()
    np.testing.assert_array_equal(served.audio[first][heard], trained.audio[heard])
    np.testing.assert_array_equal(served.audio_mask[first][heard], trained.audio_mask[heard])


def test_half_a_film_is_read_by_half_and_not_sure(sample_clips, corpora, tmp_path, detector):
    """`both=0`: every answer from face and voice would be sure."""
    whole = sample_clips / "obama_speech.mp4"
    half = tmp_path / "half.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(half), "w", options={"movflags": "faststart"}) as out,
    ):
        streams = {old.index: out.add_stream_from_template(old) for old in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    data = half.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    recognizer = Recognizer(RecordingBackend(SPEC, both=0.0, voice=0.0), detector)
    assert recognizer.predict(whole).coverage.read == 1
    report = recognizer.predict(half)
    assert report.coverage.read == pytest.approx(report.duration_s / 8.8, abs=0.02)
    assert 0.2 < report.coverage.read < 0.8
    assert report.confident is False and report.certainty.endswith("% (partly decoded)")
    assert any("cut short" in warning for warning in report.warnings)


def test_a_picture_with_a_hole_is_not_read_whole(recognizer, sample_clips, tmp_path):
    """A third of the packets are noughts, and no picture comes until the next key frame."""
    path = tmp_path / "hole.mp4"
    data = bytearray((sample_clips / "obama_speech.mp4").read_bytes())
    with av.open(str(sample_clips / "obama_speech.mp4")) as source:
        packets = [(p.pos, p.size) for p in source.demux(source.streams.video[0]) if p.size]
    for pos, size in packets[len(packets) // 3 : 2 * len(packets) // 3]:
        data[pos : pos + size] = bytes(size)
    path.write_bytes(data)
    report = recognizer.predict(path)
    assert report.duration_s == pytest.approx(8.8, abs=0.2)
    assert 0.3 < report.coverage.read < 0.7
    assert any("could not be decoded" in warning for warning in report.warnings)
