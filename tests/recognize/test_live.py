"""Live results: those of `predict` for the same windows, however the media arrive."""

import itertools
import math
import time
import tracemalloc

import numpy as np
import pytest
from recording_backend import RecordingBackend
from small_spec import RECOGNIZER_SPEC as SPEC

import avtca
from avtca.errors import ConfigError, MediaError
from avtca.faces import best_detector
from avtca.media import open_media
from avtca.recognize.live import FIRST_S, KEPT_S
from avtca.recognize.live_speech import LiveSpeech, _is_sparse
from avtca.recognize.prediction import BRIEF_FACE, SHARED_AUDIO, SHORT_WINDOW
from avtca.recognize.recognizer import Recognizer
from avtca.speaker import MouthSeries, SpeechLevels
from avtca.speaker.speech import UNSEEN

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer():
    return avtca.load()


@pytest.fixture(scope="module")
def clip(corpora):
    return arrays(corpora / "cremad" / "1001_DFA_HAP_XX.flv")


def arrays(path, fps=15):
    media = open_media(path)
    frames = list(media.frames(fps))
    return {
        "frames": [frame.rgb for frame in frames],
        "timestamps": [frame.time_s for frame in frames],
        "waveform": np.concatenate(list(media.audio(RATE))),
        "sample_rate": RATE,
    }


def timed(clip):
    return list(zip(clip["timestamps"], clip["frames"], strict=True))


def blocks(wave, n=320):
    return [wave[start : start + n] for start in range(0, len(wave), n)]


def tone(seconds):
    """A waveform that is no voice."""
    return (0.1 * np.sin(np.arange(int(seconds * RATE)) * 0.2)).astype(np.float32)


def assert_equal_rows(results, timeline):
    """All fields of the results' people are those of the timeline; scores to 1e-6."""
    expected = {
        key: list(rows)
        for key, rows in itertools.groupby(timeline, lambda r: (round(r.start_s, 6), r.end_s))
    }
    for result in results:
        rows = expected[round(result.start_s, 6), result.end_s]
        assert len(result.people) == len(rows)
        for found, row in zip(result.people, rows, strict=True):
            assert found.scores == pytest.approx(row.scores, abs=1e-6)
            for field in ("start_s", "end_s", "modalities", "face", "voice", "person", "box"):
                assert getattr(found, field) == getattr(row, field), field


def test_results_equal_those_of_predict(recognizer, clip):
    report = recognizer.predict(clip, window_s=1.0, hop_s=0.1, person="all")
    options = {"window_s": 1.0, "every_s": 0.2, "person": "all"}
    results = list(recognizer.stream(timed(clip), blocks(clip["waveform"]), **options))
    assert [round(r.end_s, 3) for r in results] == [1.1, 1.3, 1.5, 1.7, 2.0]
    assert [r.final for r in results] == [False] * 4 + [True]
    assert {r.people[0].modalities for r in results} == {("face", "voice")}
    assert_equal_rows(results, report.timeline)


@pytest.mark.slow
def test_results_of_a_longer_clip_with_the_networks_window(recognizer, sample_clips):
    clip = arrays(sample_clips / "obama_speech.mp4", fps=30)
    report = recognizer.predict(clip, hop_s=0.1, person="all")
    results = list(recognizer.stream(timed(clip), blocks(clip["waveform"], 1000), person="all"))
    full = [r for r in results if r.end_s - r.start_s > 3.59]
    assert len(results) == 17 and len(full) == 12
    assert max(len(r.people) for r in full) > 1
    assert_equal_rows(full, report.timeline)
    assert all(SHARED_AUDIO in row.doubts for r in full for row in r.people if len(r.people) > 1)


def both_in_view(shared, voices, fps=25):
    """Two people side by side, left and right, with a voice for each 3 s."""
    left, right, *heard = (
        arrays(shared / "talking" / name, fps) for name in ("lwbsza.mpg", "bbaf2n.mpg", *voices)
    )
    n = round((left["timestamps"][-1] + 1 / fps) * RATE)
    frames = [
        (part * n / RATE + time_s, np.hstack(pair))
        for part in range(len(voices))
        for time_s, *pair in zip(left["timestamps"], left["frames"], right["frames"], strict=False)
    ]
    return frames, np.concatenate([np.resize(one["waveform"], n) for one in heard])


def live_and_file(recognizer, frames, wave):
    """Live results, and for each the rows of `predict` for the same window."""
    results = list(recognizer.stream(frames, blocks(wave), every_s=1.0, person="all"))
    times, images = zip(*frames, strict=True)
    arrays = {"frames": images, "timestamps": times, "waveform": wave, "sample_rate": RATE}
    windows = [(result.start_s, result.end_s) for result in results]
    timeline = recognizer.predict(arrays, person="all", windows=windows).timeline
    rows = [[row for row in timeline if row.end_s == result.end_s] for result in results]
    return results, rows


def assert_decided_like_file(result, expected):
    """Scores, modalities and `speaking` of a result whose speaker was found."""
    assert [row.person for row in result.people] == [row.person for row in expected]
    for found, row in zip(result.people, expected, strict=True):
        assert found.modalities == row.modalities
        assert found.scores == pytest.approx(row.scores, abs=1e-6)
        assert found.speaking == pytest.approx(row.speaking, abs=0.02)
        assert SHARED_AUDIO not in found.doubts


@pytest.mark.slow
def test_a_face_that_does_not_speak_is_read_without_the_voice(recognizer, shared):
    """The one at the left speaks for 3 s, then the other one."""
    frames, wave = both_in_view(shared, ("lwbsza.mpg", "bbaf2n.mpg"))
    results, expected = live_and_file(recognizer, frames, wave)
    assert len(results) == 6
    n_decided = 0
    for result, rows in zip(results, expected, strict=True):
        if any(row.speaking is None for row in result.people):
            assert {row.modalities for row in result.people} == {("face", "voice")}
            assert all(SHARED_AUDIO in row.doubts for row in result.people)
        else:
            assert_decided_like_file(result, rows)
            n_decided += 1
    assert n_decided >= 4
    for result, speaks in ((results[2], 0), (results[-1], 1)):
        rows = sorted(result.people, key=lambda row: row.box[0])
        assert rows[speaks].modalities == ("face", "voice") and rows[speaks].speaking > 0.25
        assert rows[1 - speaks].modalities == ("face",) and rows[1 - speaks].speaking < 0.02


@pytest.mark.slow
def test_a_voice_of_nobody_in_view_has_a_row(recognizer, shared):
    frames, wave = both_in_view(shared, ("lbbc2a.mpg", "lbbc2a.mpg"))
    results, expected = live_and_file(recognizer, frames, wave)
    last, rows = results[-1], expected[-1]
    assert [row.modalities for row in last.people] == [("face",), ("face",), ("voice",)]
    assert [row.speaking for row in last.people] == [0, 0, None]
    assert last.people[-1].to_dict()["person"] is None and last.people[-1].doubts == ()
    for row in (0, 1, 2):
        assert last.people[row].scores == pytest.approx(rows[row].scores, abs=1e-6)
    main = list(recognizer.stream(frames[-75:], blocks(wave), every_s=6.0))[-1].people
    assert len(main) == 1  # the faces came at the end: nothing is known of the voice before


def test_who_speaks_is_undecided_with_few_frames(recognizer, shared):
    """Also where pictures are dropped in bursts."""
    frames, wave = both_in_view(shared, ("lwbsza.mpg",))
    frames = [one for k, one in enumerate(frames) if one[0] < 2.5 and k % 25 < 14]
    results = list(recognizer.stream(frames, blocks(wave[: int(2.5 * RATE)]), person="all"))
    assert len(results[-1].people) == 2
    assert {row.speaking for result in results[2:] for row in result.people} == {None}


@pytest.mark.parametrize("missing", ["frames", "waveform"])
def test_one_stream_alone(recognizer, clip, missing):
    partner = {"frames": "timestamps", "waveform": "sample_rate"}[missing]
    given = {key: value for key, value in clip.items() if key not in (missing, partner)}
    report = recognizer.predict(given, window_s=1.0, hop_s=0.1)
    frames = timed(clip) if "frames" in given else None
    audio = blocks(clip["waveform"]) if "waveform" in given else None
    results = list(recognizer.stream(frames, audio, window_s=1.0))
    assert len(results) == 3
    assert_equal_rows(results, report.timeline)
    assert all((r.frame_s is None) == (missing == "frames") for r in results)


@pytest.mark.parametrize("sizes", [(160,), (1, 3000, 333)])
@pytest.mark.parametrize("late_s", [-0.3, 0.0, 0.3])
def test_results_do_not_depend_on_the_arrival_of_the_audio(clip, late_s, sizes):
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    expected = list(recognizer.stream(timed(clip), [clip["waveform"]], window_s=1.0))
    session = recognizer.live_session(window_s=1.0)
    ends = np.cumsum([*itertools.islice(itertools.cycle(sizes), 4 * len(clip["waveform"]))])
    ends = ends[: np.searchsorted(ends, len(clip["waveform"])) + 1]
    events = [(t, "frame", (t, rgb)) for t, rgb in timed(clip)]
    for start, end in itertools.pairwise((0, *ends)):
        events.append((end / RATE + late_s, "audio", clip["waveform"][start:end]))
    found = []
    for _, kind, value in sorted(events, key=lambda event: event[0]):
        found += session.add_frame(*value) if kind == "frame" else session.add_audio(value)
    found += session.finish()
    assert [vars(r) | {"delay_s": 0} for r in found] == [vars(r) | {"delay_s": 0} for r in expected]


def test_int16_and_another_rate(clip):
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    wave = tone(2.0)
    ints = (wave * 2**15).round().astype(np.int16)
    exact, coded = (
        list(recognizer.stream(audio=blocks(values, 800), window_s=1.0)) for values in (wave, ints)
    )
    assert [r.end_s for r in exact] == [r.end_s for r in coded] == [1.0, 1.5, 2.0]
    half = list(recognizer.stream(audio=blocks(wave[::2], 800), window_s=1.0, sample_rate=8000))
    assert half[-1].final and half[-1].end_s == 2.0


def is_in(time_s, ranges):
    return any(low <= time_s < high for low, high in ranges)


def push(session, frames=(), audio=(), step_s=0.1):
    """Frames and audio up to their ends in seconds, the audio first in each step."""
    found = []
    image = np.full((48, 64, 3), 90, np.uint8)
    for k in range(round(max((*frames, *audio))[1] / step_s)):
        start = k * step_s
        if is_in(start, audio):
            found += session.add_audio(np.zeros(int(step_s * RATE), np.float32), time_s=start)
        if is_in(start, frames):
            found += session.add_frame(start + 0.05, image)
    return [round(r.end_s, 3) for r in found]


@pytest.fixture
def session():
    return Recognizer(RecordingBackend(SPEC), best_detector()).live_session(window_s=1.0)


def test_results_go_on_without_a_stream_that_stops(session):
    ends = push(session, frames=[(0, 2.0)], audio=[(0, 6.0)])
    assert ends[-1] == pytest.approx(6.0, abs=0.5) and np.diff(ends).max() < 1.1, ends


def test_results_go_on_without_audio_that_stops(session):
    ends = push(session, frames=[(0, 6.0)], audio=[(0, 2.0)])
    assert ends[-1] > 5.3 and np.diff(ends).max() < 1.1, ends


def test_results_are_put_off_while_newer_media_wait(session):
    wave = np.zeros(1600, np.float32)

    def ends(start, end):
        found = [session.add_audio(wave, time_s=k / 10) for k in range(start, end)]
        return [round(one.end_s, 3) for results in found for one in results]

    assert ends(0, 20) == [1.0, 1.5, 2.0]
    session.behind = True
    assert ends(20, 50) == [3.5, 5.0]  # a second later than due
    session.behind = False
    assert ends(50, 60) == [5.5, 6.0]


def test_streams_may_begin_late_and_pause(session):
    ends = push(session, frames=[(1.5, 3.0), (5.0, 7.0)], audio=[(0, 4.0), (6.0, 7.0)])
    assert ends[0] == FIRST_S and ends[-1] > 6.3, ends
    assert all(np.diff(ends) > 0) and np.diff(ends).max() < 1.2, ends


def test_a_jump_ahead_gives_one_result_and_takes_no_memory(session):
    push(session, frames=[(0, 2.0)], audio=[(0, 2.0)])
    image = np.zeros((48, 64, 3), np.uint8)
    before = time.process_time()
    found = session.add_audio(tone(0.1), time_s=600.0) + session.add_frame(600.0, image)
    assert len(found) == 1 and found[0].end_s == pytest.approx(600.1, abs=0.15)
    tracemalloc.start()  # a microphone's clock may count from the start of a machine
    found += session.add_audio(tone(1.0), time_s=1e6)
    assert len(found) == 2 and tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert session._buffer._wave.size <= (1.0 + KEPT_S + 0.5) * RATE
    assert time.process_time() - before < 2


def test_memory_does_not_grow(session):
    push(session, frames=[(0, 60)], audio=[(0, 60)])
    assert session._buffer._wave.size <= (1.0 + KEPT_S + 0.5) * RATE
    assert len(session._arrivals) < 5 and not session._scorer._windows
    assert 370 <= len(session._speech._levels.values()) < 400  # 15 s


def test_live_speech_keeps_what_it_needs():
    """The levels, mouths and faceless frames of the last 15 s, with the same levels."""
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(40 * RATE, np.float32)
    whole, live = SpeechLevels(RATE), LiveSpeech(RATE)
    whole.add(wave)
    voiced = np.zeros(1500, bool)
    live._mouths.series[0] = MouthSeries()
    for k in range(40):
        live.add_audio(wave[k * RATE : (k + 1) * RATE])
        times = [k + step / 10 for step in range(10)]
        live._mouths.series[0].times += times
        live._mouths.series[0].values += [(1.0, 1.0, 0.0)] * 10
        for time_s in times:
            live.add_faces(time_s, [])
        end_tick = 100 * (k + 1)
        live.find(voiced[:end_tick], end_tick, still=())
        assert len(live._levels.values()) <= 15 * 25
        assert len(live._mouths.series[0].times) <= 150 and len(live._faceless) <= 150
    np.testing.assert_allclose(live._levels.values(), whole.values()[25 * 25 :])
    live.skip_to(50 * RATE)
    live.add_audio(wave[: 2 * RATE])
    levels = live._levels_from(40 * 25)
    assert len(levels) == 250 + 49 and set(levels[:250]) == {-120.0}
    np.testing.assert_allclose(levels[252:], whole.values()[2:49])


def test_what_was_not_read_is_undecided():
    """One face in view is not examined; nobody in view does not speak."""
    live = LiveSpeech(RATE)
    live.add_audio(np.zeros(4 * RATE, np.float32))
    for step in range(20):
        live.add_faces(step / 10, [object()])
    for step in range(20, 40):
        live.add_faces(step / 10, [])
    speech = live.find(np.ones(400, bool), 400, still=())
    assert speech.heard(0, 2, UNSEEN) is None and speech.heard(2, 4, UNSEEN) == 1
    later = live.find(np.ones(400, bool), 700, still=())  # no frame since
    assert later.heard(3, 4, UNSEEN) == 1 and later.heard(4, 7, UNSEEN) is None


def test_a_window_is_read_once(clip):
    """The network reads only what the rows need."""
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    results = list(recognizer.stream(timed(clip), blocks(clip["waveform"]), window_s=1.0))
    assert [len(batch) for batch in recognizer.backend.batches] == [1] * len(results)


def test_audio_is_placed_by_its_time(session):
    wave = tone(2.0)
    for k, start in enumerate(range(0, len(wave), 1600)):  # jitter of up to 40 ms
        session.add_audio(wave[start : start + 1600], time_s=start / RATE + 0.04 * (-1) ** k)
    np.testing.assert_array_equal(session._buffer._wave[-16000:], wave[-16000:])
    session.add_audio(wave[:1600], time_s=2.5)  # the audio before ended at 2.04 s
    expected = np.concatenate((wave, np.zeros(7360), wave[:1600])).astype(np.float32)
    np.testing.assert_array_equal(session._buffer._wave, expected[-len(session._buffer._wave) :])
    session.add_audio(wave[:3200], time_s=2.5)  # its first half was there
    assert session.audio_s == pytest.approx(2.7)
    session.add_audio(wave[:1600], time_s=0.5)
    assert session.audio_s == pytest.approx(2.7)


def test_a_bad_frame_or_block_leaves_the_session_as_it_is(clip):
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    expected = list(recognizer.stream(timed(clip), blocks(clip["waveform"]), window_s=1.0))
    session, found, heard = recognizer.live_session(window_s=1.0), [], 0
    bad_frames = [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
    bad_blocks = [np.zeros((2, 9), np.float32), np.zeros(9, np.int32), np.array([np.nan])]
    for k, (time_s, rgb) in enumerate(timed(clip)):
        with pytest.raises(MediaError, match=r"read a frame: it is .* of the shape"):
            session.add_frame(time_s + 0.01, bad_frames[k % 3])
        with pytest.raises(MediaError, match=r"read audio: it (is|has)"):
            session.add_audio(bad_blocks[k % 3])
        with pytest.raises(MediaError, match="read a frame: its time is nan s"):
            session.add_frame(math.nan, rgb)
        with pytest.raises(MediaError, match="read audio: its time is inf s"):
            session.add_audio(clip["waveform"][:9], time_s=math.inf)
        assert session.add_frame(time_s - 1, rgb) == []  # comes too late
        end = int((time_s + 0.05) * RATE)
        found += session.add_audio(clip["waveform"][heard:end])
        found += session.add_frame(time_s, rgb)
        heard = end
    found += session.add_audio(clip["waveform"][heard:]) + session.finish()
    assert [vars(r) | {"delay_s": 0} for r in found] == [vars(r) | {"delay_s": 0} for r in expected]


def test_frames_that_are_not_needed_change_nothing(corpora):
    clip = arrays(corpora / "cremad" / "1001_DFA_SAD_XX.flv", fps=30)
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    expected = list(recognizer.stream(timed(clip), window_s=1.0))
    session, found, n = recognizer.live_session(window_s=1.0), [], 0
    for time_s, rgb in timed(clip):
        if session.needs(time_s):
            found += session.add_frame(time_s, rgb)
            n += 1
    found += session.finish()
    assert 0.6 < n / len(clip["frames"]) < 0.75
    assert [vars(r) | {"delay_s": 0} for r in found] == [vars(r) | {"delay_s": 0} for r in expected]


def test_when_a_result_can_be_trusted(clip):
    backend = RecordingBackend(SPEC, both=0.0)
    recognizer = Recognizer(backend, best_detector())
    results = list(recognizer.stream(timed(clip), blocks(clip["waveform"]), window_s=1.4))
    assert [(r.people[0].doubts, r.people[0].confident) for r in results] == [
        ((SHORT_WINDOW,), False),
        ((), True),
        ((), True),
    ]
    row = results[-1].people[0].to_dict()
    assert (row["sure"], row["sure_from"], row["doubts"]) == (True, 0.0, [])
    whole = list(recognizer.stream(timed(clip), blocks(clip["waveform"])))[-1]
    assert whole.final and whole.people[0].doubts == ()  # the recording is not longer
    brief = [frame for frame in timed(clip) if frame[0] > 1.5]
    assert BRIEF_FACE in list(recognizer.stream(brief, [clip["waveform"]]))[-1].people[0].doubts
    voice = list(recognizer.stream(audio=[clip["waveform"]]))[-1].people[0]
    assert voice.threshold is None and voice.confident is None


def test_the_delay_counts_from_the_arrival_of_the_newest_frame(session):
    image, now = np.full((48, 64, 3), 90, np.uint8), time.monotonic()
    found = []
    for k in range(14):
        found += session.add_frame(k / 10 + 0.05, image, arrived_s=now - 7)
        found += session.add_audio(np.zeros(1600, np.int16), arrived_s=now - 3)
    assert len(found) == 1 and found[0].frame_s == pytest.approx(1.05, abs=0.2)
    assert 7 <= found[0].delay_s < 8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"every_s": 0.01}, "give a result every 0.01 s"),
        ({"every_s": float("nan")}, "give a result every nan s"),
        ({"person": "both"}, "recognise person 'both'"),
        ({"window_s": 99}, "use windows of 99 s"),
    ],
)
def test_bad_options(options, text):
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    with pytest.raises(ConfigError, match=text):
        recognizer.stream(audio=[], **options)


def test_no_input():
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    with pytest.raises(ConfigError, match="no input"):
        recognizer.stream()
    assert list(recognizer.stream([], [])) == []


def test_a_person_who_was_away_is_not_too_rarely_seen():
    there = [k / 25 for k in range(50)]
    assert not _is_sparse([]) and not _is_sparse([1.0])
    assert not _is_sparse([*there, *(5 + time_s for time_s in there)])
    assert _is_sparse([k / 10 for k in range(50)]) and _is_sparse([0.0, 1.0, 2.0])
