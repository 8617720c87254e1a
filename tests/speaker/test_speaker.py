"""Who speaks, from mouths and the level of speech."""

import numpy as np
import pytest

from avtca.errors import CheckpointError
from avtca.faces import TrackedFace, best_detector
from avtca.image import ArrayImage
from avtca.media import open_media
from avtca.media.clock import dense_frames
from avtca.media.types import Moment
from avtca.speaker import MouthRecorder, MouthSeries, SpeechLevels, Turn, find_speakers
from avtca.speaker import evidence as evidence_module
from avtca.speaker.evidence import (
    AROUND_STEPS,
    _standard,
    lagged,
    near,
    packaged_weights,
    stretches,
)
from avtca.speaker.lips import CORNERS, CROP_PX, MOUTH_TEMPLATE, lip_points
from avtca.speaker.speech import UNKNOWN, UNSEEN, Speech

RATE, TICKS = 25, 100


def conversation(seconds=12.0, seed=0):
    """A mouth, a voice whose level follows it as the filters predict, and the voice activity."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    spoken = np.convolve(rng.standard_normal(n + 40), np.hanning(7), "same")[20:-20]
    height = 12 + 4 * spoken / spoken.std()
    motion = np.abs(np.gradient(height)) / 20
    values = list(zip(height, np.full(n, 30.0), motion, strict=True))
    series = MouthSeries([k / RATE for k in range(n)], values)
    columns = np.stack(list(lagged(_standard(np.array(values)))), axis=1)
    predicted = columns @ packaged_weights().filters.sum(axis=1)
    level = -30 + 6 * predicted / predicted.std() + rng.standard_normal(n)
    return series, level, np.ones(round(seconds * TICKS), bool)


def still_mouth(n):
    return MouthSeries([k / RATE for k in range(n)], [(12.0, 30.0, 0.01)] * n)


def heard(speech):
    who, n = np.unique(speech.speaker[speech.voiced], return_counts=True)
    return {int(one): float(count) / n.sum() for one, count in zip(who, n, strict=True)}


def test_the_mouth_that_moves_with_the_voice_speaks():
    series, level, voiced = conversation()
    other, _, _ = conversation(seed=1)
    speech = find_speakers({3: other, 7: series}, level, voiced)
    assert heard(speech)[7] > 0.9
    assert speech.share(2.0, 8.0, 7) > 0.9 and speech.share(2.0, 8.0, 3) == 0
    assert [turn.person for turn in speech.turns() if turn.visible] == [7]


def test_nobody_in_view_speaks_where_no_mouth_moves_with_the_voice():
    _, level, voiced = conversation()
    mouths = {0: still_mouth(len(level)), 1: conversation(seed=2)[0]}
    speech = find_speakers(mouths, level, voiced)
    assert heard(speech)[UNSEEN] > 0.9
    assert speech.heard(0, 12, UNSEEN) == pytest.approx(1.0, abs=0.1)


def test_two_people_take_turns():
    first, level, voiced = conversation(16)
    still = still_mouth(len(level)).values
    half = len(level) // 2
    mouths = {
        0: MouthSeries(first.times, first.values[:half] + still[half:]),
        1: MouthSeries(first.times, still[:half] + first.values[half:]),
    }
    speech = find_speakers(mouths, level, voiced)
    assert speech.share(1, 7, 0) > 0.9 and speech.share(9, 15, 1) > 0.9
    people = [turn.person for turn in speech.turns() if turn.visible]
    assert people == [0, 1]


def test_a_photograph_never_speaks():
    series, level, voiced = conversation()
    speech = find_speakers({0: series}, level, voiced, still={0})
    assert set(heard(speech)) == {UNSEEN}


def test_a_face_of_one_frame_is_undecided_there_and_nobody_speaks_elsewhere():
    _, level, voiced = conversation(4)
    speech = find_speakers({0: MouthSeries([2.0], [(10.0, 30.0, 0.0)])}, level, voiced)
    assert speech.speaker[205] == UNKNOWN and speech.speaker[100] == UNSEEN
    assert find_speakers({}, np.zeros(0), np.zeros(0, bool)).turns() == ()


def test_forty_people_in_view():
    series, level, voiced = conversation()
    mouths = {k: conversation(seed=k + 10)[0] for k in range(39)} | {39: series}
    speech = find_speakers(mouths, level, voiced)
    assert heard(speech).get(39, 0) > 0.8


def test_turns_join_over_short_pauses_and_tell_unseen_from_unknown():
    speaker = np.repeat([4, 4, UNSEEN, UNKNOWN], 100)
    voiced = np.ones(400, bool)
    voiced[50:70] = False  # shorter than the pause that ends a turn
    voiced[250:] = False
    voiced[300:] = True
    speech = Speech(speaker, voiced)
    assert speech.turns() == (
        Turn(0.0, 2.0, 4, True),
        Turn(2.0, 2.5, None, False),
        Turn(3.0, 4.0, None, None),
    )
    assert speech.share(0, 2, 4) == pytest.approx(0.9)
    assert speech.share(3, 4, 4) is None and speech.share(2.5, 3, 4) == 0.0
    late = Speech(speaker, voiced, first_tick=500)
    assert late.turns()[0] == Turn(5.0, 7.0, 4, True)
    assert late.share(4, 7, 4) == pytest.approx(0.9) and late.share(0, 5, 4) == 0.0


def test_levels_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(16_000).astype(np.float32)
    whole, parts = SpeechLevels(16_000), SpeechLevels(16_000)
    whole.add(wave)
    for block in np.array_split(wave, 7):
        parts.add(block)
    np.testing.assert_allclose(parts.values(), whole.values())
    assert len(whole.values()) == 24  # the last window ends after the wave
    loud = SpeechLevels(16_000)
    loud.add(10 * wave)
    np.testing.assert_allclose(loud.values() - whole.values(), 20.0, atol=1e-3)


def test_lip_points_lie_on_the_lips_of_a_real_face(shared):
    frame = next(open_media(str(shared / "talking" / "pwij3p.mpg")).frames(10))
    (face,) = best_detector().detect(frame.rgb)
    tracked = TrackedFace(**vars(face), person=0, step=0, time_s=frame.time_s)
    recorder = MouthRecorder()
    recorder.add([Moment(frame.time_s, frame.image)], [tracked])
    recorder.finish()
    ((height, width, motion),) = recorder.series[0].values
    assert 8 < height < 22 and 20 < width < 36 and motion == 0
    assert recorder.series[0].times == [frame.time_s]


def test_lip_points_find_a_drawn_mouth():
    """A dark ellipse in bright skin, with the corners at the ends of its long axis."""
    y, x = np.mgrid[:CROP_PX, :CROP_PX]
    crop = np.full((CROP_PX, CROP_PX), 170, np.uint8)
    crop[((x - 32) / 16) ** 2 + ((y - 36) / 8) ** 2 < 1] = 87
    crop[((x - 32) / 12) ** 2 + ((y - 36) / 4) ** 2 < 1] = 16
    (points,) = lip_points(crop[None])
    assert points.shape == (80, 2)
    assert np.abs(points[CORNERS[0]] - (16, 36)).max() < 8
    assert np.abs(points[CORNERS[1]] - (48, 36)).max() < 8


def test_mouth_crops_have_the_mouth_in_the_middle():
    np.testing.assert_allclose(MOUTH_TEMPLATE[3:].mean(axis=0), 0.5, atol=1e-6)


def test_frames_of_a_denser_clock():
    timed = [(k / 30, 1 / 2000, k) for k in range(30)]
    found = list(dense_frames(timed, 10, 25))
    assert [step for step, _, _, _ in found] == list(range(10))
    dense = [frame for *_, moments in found for _, frame in moments]
    assert dense == sorted(set(dense)) and 22 <= len(dense) <= 25
    assert all(time <= at for _, at, _, moments in found for time, _ in moments)


def test_stretches_end_where_the_face_is_gone():
    series, level, _ = conversation(8)
    keep = [k for k in range(len(series.times)) if not 3.0 < series.times[k] < 5.0]
    part = MouthSeries([series.times[k] for k in keep], [series.values[k] for k in keep])
    first, second = stretches(part, level, np.ones(len(level), bool))
    assert first.first == 0 and len(first.heard) == 76 and second.first == 125


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_steps_near_a_voice(n):
    voiced = np.arange(n) == n - 1
    assert near(voiced).tolist() == [n - 1 - k <= AROUND_STEPS for k in range(n)]


def test_weights_of_another_shape_are_refused(tmp_path, monkeypatch):
    (tmp_path / "speaker.json").write_text('{"filters": [[1, 2]], "score": [1, 2, 3]}')
    monkeypatch.setattr(evidence_module, "WEIGHTS", tmp_path)
    evidence_module.packaged_weights.cache_clear()
    with pytest.raises(CheckpointError, match="another version of avtca; install avtca again"):
        evidence_module.packaged_weights()
    evidence_module.packaged_weights.cache_clear()


def test_an_image_of_arrays_has_its_dense_frames():
    pictures = np.zeros((10, 8, 8, 3), np.uint8)
    clip = open_media({"frames": pictures, "fps": 25})
    frames = list(clip.frames(5, 25))
    assert [len(frame.dense) for frame in frames] == [3, 5]
    assert all(isinstance(one.image, ArrayImage) for frame in frames for one in frame.dense)
