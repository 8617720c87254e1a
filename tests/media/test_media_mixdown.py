"""Channels in opposite phase, samples of another scale, quiet speech, and silent tracks."""

import numpy as np
import pytest
from media_clips import encode

from avtca.audio.level import band_level_db
from avtca.errors import MediaError
from avtca.media import open_media
from avtca.media.mixdown import Mixdown

RATE = 16_000
RNG = np.random.default_rng(0)


def syllables(seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Bursts of a harmonic tone above faint noise, ``(n,)``, peak about 0.3."""
    t = np.arange(round(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 12))
    noise = 1e-3 * np.random.default_rng(1).standard_normal(len(t))
    return (0.15 * voice * (np.sin(2 * np.pi * 2 * t) > 0) + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("second", "low"), [(-1, 0), (-0.9, 0), (-1, 0.05 * np.sin(314 * np.arange(64_000) / RATE))]
)
def test_channels_in_opposite_phase(second, low):
    wave = syllables()
    mixdown = Mixdown.of(np.stack((wave + low, second * wave + low)).astype(np.float32), RATE)
    assert (mixdown.channel, mixdown.gain) == (0, 1)
    assert mixdown.warnings == ("the channels are in opposite phase: channel 1 alone is used",)
    louder = Mixdown.of(np.stack((0.5 * wave, -wave)), RATE)
    assert louder.channel is None or louder.channel == 1


@pytest.mark.parametrize("kind", ["same", "one empty", "delayed", "unrelated", "surround"])
def test_other_channels_are_averaged(kind):
    wave = syllables()
    noise = 0.1 * RNG.standard_normal((2, len(wave))).astype(np.float32)
    values = {
        "same": np.stack((wave, wave)),
        "one empty": np.stack((0 * wave, wave)),
        "delayed": np.stack((wave, np.roll(wave, 20))),
        "unrelated": noise,
        "surround": np.stack((0 * wave, 0 * wave, wave, 0 * wave, 0.1 * wave, 0.1 * wave)),
    }[kind]
    assert Mixdown.of(values, RATE) == Mixdown()


def test_the_centre_of_surround_sound(tmp_path):
    wave = syllables(rate=48_000)
    music = 0.1 * RNG.standard_normal((6, len(wave))).astype(np.float32)
    music[2] = wave
    path = encode(tmp_path / "a.flac", audios=[music], audio="flac", layout="5.1")
    clip = open_media(path)
    found = np.concatenate(list(clip.audio(48_000)))
    np.testing.assert_allclose(found, wave, atol=1e-4)
    assert clip.warnings == ["6 channels: the centre one alone is used"]
    music[2] = 0
    path = encode(tmp_path / "b.flac", audios=[music], audio="flac", layout="5.1")
    assert open_media(path).mixdown.channel is None


@pytest.mark.parametrize(
    ("factor", "gain"), [(1, 1), (8, 1), (100, 1 / 64), (2**15, 2.0**-15), (2**31, 2.0**-31)]
)
def test_samples_of_another_scale(factor, gain):
    mixdown = Mixdown.of(syllables()[None] * np.float32(factor), RATE)
    assert mixdown.gain == gain
    assert bool(mixdown.warnings) == (gain != 1)


def test_single_damaged_samples_are_no_scale():
    wave = syllables()
    wave[[100, 200, 300]] = np.nan, np.inf, 1e30
    assert Mixdown.of(wave[None], RATE).gain == 1


@pytest.mark.parametrize(("db", "gain_db"), [(-30, 30), (-40, 40), (-15, 0), (0, 0)])
def test_quiet_speech_is_amplified(db, gain_db):
    wave = syllables()
    loudest = np.percentile(band_level_db(wave, RATE), 99)
    mixdown = Mixdown.of((wave * 10 ** ((-20 - loudest + db) / 20))[None], RATE)
    assert 20 * np.log10(mixdown.gain) == pytest.approx(gain_db, abs=1)
    assert bool(mixdown.warnings) == (gain_db > 0) and not mixdown.silent


@pytest.mark.parametrize("level", [0, 1e-5, 1e-4, 1e-3])
def test_silence_and_noise_are_not_amplified(level):
    noise = level * RNG.standard_normal((1, 4 * RATE)).astype(np.float32)
    mixdown = Mixdown.of(noise, RATE)
    assert mixdown.gain == 1 and mixdown.warnings == () and mixdown.silent == (level < 1e-3)


def test_a_file_in_opposite_phase_and_of_another_scale(tmp_path):
    wave = syllables(rate=48_000)
    stereo = np.stack((wave, -wave)) * np.float32(2**15)
    clip = open_media(
        encode(tmp_path / "a.wav", audios=[stereo], audio="pcm_f32le", layout="stereo")
    )
    found = np.concatenate(list(clip.audio(48_000)))
    np.testing.assert_allclose(found, wave, atol=1e-6)
    assert [text[:30] for text in clip.warnings] == [
        "the audio has samples up to 8.",
        "the channels are in opposite p",
    ]


def test_a_silent_default_track_is_left_for_another(tmp_path):
    wave = syllables(rate=48_000)[None]
    path = encode(tmp_path / "a.mkv", audios=[0 * wave, wave, 0.5 * wave], audio="flac")
    clip = open_media(path)
    assert clip.warnings == ["3 audio tracks: track 2 is used, since the default one is silent"]
    assert np.abs(np.concatenate(list(clip.audio(48_000)))).max() == pytest.approx(wave.max(), 0.01)
    third = open_media(path, audio_track=3)
    assert third.warnings == ["3 audio tracks: track 3 is used"]
    half = np.abs(np.concatenate(list(third.audio(48_000)))).max()
    assert half == pytest.approx(wave.max() / 2, 0.01)
    assert not np.concatenate(list(open_media(path, audio_track=1).audio(48_000))).any()


@pytest.mark.parametrize(
    ("kind", "number", "found"),
    [("audio", 4, "it has 3"), ("audio", 0, "it has 3"), ("video", 1, "it has no video")],
)
def test_a_track_that_does_not_exist_is_refused(tmp_path, kind, number, found):
    wave = syllables(1, rate=48_000)[None]
    path = encode(tmp_path / "a.mkv", audios=[wave, wave, wave], audio="flac")
    with pytest.raises(MediaError, match=f"read {kind} track {number} of .*: {found}"):
        open_media(path, **{f"{kind}_track": number})
    with pytest.raises(MediaError, match="arrays have no tracks"):
        open_media({"waveform": wave, "sample_rate": 48_000}, audio_track=1)
