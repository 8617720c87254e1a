import numpy as np
import pytest

from avtca.errors import MediaError
from avtca.media import open_media

WAVE = np.zeros(800, np.float32)
FRAMES = np.zeros((4, 6, 8, 3), np.uint8)
AUDIO = {"waveform": WAVE, "sample_rate": 16_000}
VIDEO = {"frames": FRAMES, "fps": 10}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "neither a waveform nor frames"),
        ({"frames": None}, "neither a waveform nor frames"),
        ({**AUDIO, "wave": WAVE}, "unknown key 'wave'"),
        ({"waveform": WAVE}, "'waveform' without 'sample_rate'"),
        ({"sample_rate": 16_000}, "'sample_rate' without 'waveform'"),
        ({"frames": FRAMES}, "'frames' without 'timestamps' or 'fps'"),
        ({**AUDIO, "fps": 10}, "'fps' without 'frames'"),
        ({**VIDEO, "timestamps": [0, 1, 2, 3]}, "both 'timestamps' and 'fps'"),
        ({**AUDIO, "sample_rate": 0}, "'sample_rate' is 0"),
        ({**AUDIO, "sample_rate": 16_000.5}, "'sample_rate' is 16000.5"),
        ({**AUDIO, "sample_rate": "16k"}, "'sample_rate' is '16k'"),
        ({**AUDIO, "waveform": WAVE.astype(np.int32)}, "'waveform' has the type int32"),
        ({**AUDIO, "waveform": np.zeros((800, 2))}, r"\(800, 2\), \(n, channels\); transpose it"),
        ({**AUDIO, "waveform": np.zeros((1, 2, 800))}, r"'waveform' has the shape \(1, 2, 800\)"),
        ({**AUDIO, "waveform": WAVE[:0]}, r"'waveform' has the shape \(0,\)"),
        ({**AUDIO, "waveform": [[1.0], [1.0, 2.0]]}, "'waveform' is not an array"),
        ({**VIDEO, "frames": FRAMES[0]}, r"'frames' has the shape \(6, 8, 3\)"),
        ({**VIDEO, "frames": FRAMES.astype(np.float32)}, "'frames' has the type float32"),
        ({**VIDEO, "frames": FRAMES.transpose(0, 3, 1, 2)}, r"an image of the shape \(3, 6, 8\)"),
        ({**VIDEO, "frames": [FRAMES[0], FRAMES[0, 0]]}, r"an image of the shape \(8, 3\)"),
        ({**VIDEO, "frames": []}, "'frames' is empty"),
        ({**VIDEO, "frames": FRAMES[:0]}, "'frames' is empty"),
        ({**VIDEO, "fps": float("nan")}, "'fps' is nan"),
        ({"frames": FRAMES, "timestamps": [0, 1]}, r"the shape \(2,\) .* for 4 frames"),
        ({"frames": FRAMES, "timestamps": [0, 2, 1, 3]}, "do not ascend"),
        ({"frames": FRAMES, "timestamps": [-1, 0, 1, 2]}, "do not ascend from 0"),
        ({"frames": FRAMES, "timestamps": [0, 1, 2, float("inf")]}, "do not ascend"),
    ],
)
def test_invalid_arrays_are_refused_in_one_line(arrays, message):
    with pytest.raises(MediaError, match=message) as caught:
        open_media(arrays)
    assert "\n" not in str(caught.value) and caught.value.fix


def test_frames_fall_on_the_steps_of_the_clock():
    shown = np.arange(4, dtype=np.uint8)[:, None, None, None] + FRAMES
    clip = open_media({"frames": list(shown), "timestamps": [0.0, 0.04, 0.1, 0.35]})
    found = [(frame.step, frame.time_s, int(frame.rgb.max())) for frame in clip.frames(10)]
    assert found == [(0, 0.04, 1), (1, 0.1, 2), (3, 0.35, 3)]
    assert clip.has_video and not clip.has_audio and not list(clip.audio(16_000))
    with pytest.raises(ValueError, match="rate must be positive"):
        list(clip.frames(0))


def test_a_rate_of_frames_gives_their_timestamps():
    clip = open_media(VIDEO)
    assert [frame.time_s for frame in clip.frames(10)] == [0.0, 0.1, 0.2, 0.3]


def test_audio_is_mono_and_resampled():
    wave = np.sin(np.arange(32_000) * 2 * np.pi * 440 / 32_000)
    stereo = np.stack([wave, np.zeros(32_000)])
    clip = open_media({"waveform": stereo, "sample_rate": 32_000})
    found = np.concatenate(list(clip.audio(16_000)))
    assert found.dtype == np.float32 and len(found) == 16_000
    np.testing.assert_allclose(found[100:-100], wave[::2][100:-100] / 2, atol=2e-3)
    quiet = open_media({"waveform": np.full(100, np.nan), "sample_rate": 16_000})
    assert not np.concatenate(list(quiet.audio(16_000))).any()
