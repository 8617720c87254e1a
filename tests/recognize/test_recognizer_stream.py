"""Windows of a stream against the one door's own rules, on real clips."""

import numpy as np
import pytest
from engine_recording import RecordingEngine

from avtca import preprocess
from avtca.clipspec import ClipSpec
from avtca.errors import ConfigError, MediaError
from avtca.faces import best_detector
from avtca.labels import SEVEN
from avtca.media import open_clip
from avtca.recognize.recognizer import Recognizer
from avtca.recognize.report import MAIN

SPEC = ClipSpec(
    window_s=1.6,
    video_steps=16,
    visual="features",
    visual_features="test",
    visual_dim=5,
    sample_rate=16_000,
    sound="logmel",
    sound_dim=16,
    n_fft=512,
    hop=160,
    labels=SEVEN,
)


@pytest.fixture(scope="module")
def detector():
    return best_detector()


@pytest.fixture
def recognizer(detector):
    return Recognizer(RecordingEngine(SPEC), detector)


@pytest.mark.parametrize("name", ["park.mp4", "01-01-01-01-01-01-01.mp4", "obama_speech.mp4"])
@pytest.mark.parametrize("hop_s", [None, 0.5])
def test_the_windows_are_those_of_the_one_door(recognizer, samples, name, hop_s):
    report = recognizer.predict(samples / name, hop_s=hop_s)
    wanted = preprocess.window_start_steps(report.duration_s, SPEC, hop_s)
    assert [round(row.start_s * SPEC.video_rate) for row in report.timeline] == wanted
    assert report.timeline[-1].end_s == pytest.approx(report.duration_s)
    assert report.timeline[0].start_s == 0


def test_sound_of_a_window_is_that_of_the_whole_file(recognizer, samples):
    path = samples / "01-01-01-01-01-01-01.mp4"
    report = recognizer.predict(path)
    wave = np.concatenate(list(open_clip(path).sound(SPEC.sample_rate)))
    batch = recognizer.engine.batches[0]
    for i, row in enumerate(report.timeline):
        if "voice" not in row.modalities:
            assert not batch.sound_mask[i].any()
            continue
        first = round(row.start_s * SPEC.sample_rate)
        cut = wave[first : first + SPEC.window_samples]
        sound, mask = preprocess.sound_window(cut, SPEC)
        np.testing.assert_array_equal(batch.sound[i], sound)
        np.testing.assert_array_equal(batch.sound_mask[i], mask)


def test_faces_are_seen_where_they_are(recognizer, samples):
    late = recognizer.predict(samples / "noface_face.mov")
    assert late.timeline[0].face == 0
    assert late.timeline[-1].face > 0.5
    assert 0.2 < late.coverage.face < 0.7
    assert any("of the file" in warning for warning in late.warnings)
    nobody = recognizer.predict(samples / "no_face.mp4")
    assert nobody.coverage.face == 0
    assert nobody.modalities == ("voice",)
    assert all(row.person == MAIN for row in nobody.timeline)
    assert any("no face" in warning for warning in nobody.warnings)


def test_two_men_are_two_persons(recognizer, samples):
    everyone = recognizer.predict(samples / "obama_speech.mp4", person="all")
    assert len(everyone.persons) == 2
    starts = [row.start_s for row in everyone.timeline]
    assert len(starts) == 2 * len(set(starts))
    assert everyone.coverage.face > 0.9
    one = recognizer.predict(samples / "obama_speech.mp4")
    assert one.persons == {}
    assert len({row.person for row in one.timeline}) == 1


def test_each_crop_goes_through_the_network_once(recognizer, samples):
    report = recognizer.predict(samples / "01-01-01-01-01-01-01.mp4", hop_s=0.2)
    steps = round(report.coverage.face * report.duration_s * SPEC.video_rate)
    assert recognizer.engine.crops_seen == steps


def test_window_and_hop_that_cannot_be(recognizer, samples):
    clip = samples / "park.mp4"
    for kwargs in ({"window_s": 9.0}, {"window_s": 0.01}, {"hop_s": 0.0}, {"hop_s": 5.0}):
        with pytest.raises(ConfigError):
            recognizer.predict(clip, **kwargs)


def test_a_shorter_window_masks_the_rest(recognizer, samples):
    report = recognizer.predict(samples / "01-01-01-01-01-01-01.mp4", window_s=0.8)
    batch = recognizer.engine.batches[0]
    assert not batch.visual_mask[:, 8:].any()
    assert not batch.sound_mask[:, 80:].any()
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


def test_a_picture_is_read_from_the_face(recognizer, samples, tmp_path):
    from PIL import Image

    frame = next(iter(open_clip(samples / "01-01-01-01-01-01-01.mp4").frames(1.0)))
    path = tmp_path / "face.png"
    Image.fromarray(frame.rgb).save(path)
    report = recognizer.predict(path)
    assert report.modalities == ("face",)
    assert len(report.timeline) == 1
    assert any("no sound" in warning for warning in report.warnings)


def test_a_sound_file_is_read_from_the_voice(recognizer, corpora):
    flac = next(iter(sorted((corpora / "ravdess" / "audio").glob("*.flac"))))
    report = recognizer.predict(flac)
    assert report.modalities == ("voice",)
    assert any("no picture" in warning for warning in report.warnings)


def test_training_and_service_make_the_same_input(samples, tmp_path, detector):
    """A clip prepared for training and the same clip recognised: bit for bit."""
    from avtca.corpora import PreparedCorpus, prepare, read_corpus

    spec = ClipSpec(
        window_s=1.6,
        video_steps=16,
        crop_px=48,
        colour="grey",
        sample_rate=16_000,
        sound="logmel",
        sound_dim=16,
        n_fft=512,
        hop=160,
        labels=SEVEN,
    )
    source = tmp_path / "clips" / "neutral"
    source.mkdir(parents=True)
    (source / "one.mp4").write_bytes((samples / "01-01-01-01-01-01-01.mp4").read_bytes())
    layout = read_corpus("folder", tmp_path / "clips", spec)
    prepare(layout, tmp_path / "cache", spec, workers=0, lossless=True)
    corpus = PreparedCorpus.open(tmp_path / "cache")
    trained = corpus.windows(corpus.takes[0])

    engine = RecordingEngine(spec)
    report = Recognizer(engine, detector).predict(source / "one.mp4")
    served = engine.batches[0]
    assert len(trained) == len(served) == len(report.timeline)
    np.testing.assert_array_equal(served.visual_mask, trained.visual_mask)
    np.testing.assert_array_equal(served.visual, trained.visual)
    heard = served.sound_mask.any(axis=1)
    assert heard.any()
    np.testing.assert_array_equal(served.sound[heard], trained.sound[heard])
    np.testing.assert_array_equal(served.sound_mask[heard], trained.sound_mask[heard])
