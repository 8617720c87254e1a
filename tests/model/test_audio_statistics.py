"""Audio statistics: computed frame by frame, on silence, padding and changes of level."""

import numpy as np
import pytest
import torch
from scipy.fft import dct

from avtca.errors import ConfigError
from avtca.model import ModelConfig, build_model
from avtca.model.audio_statistics import N_CEPSTRUM, AudioStatisticsHead

BANDS, FRAMES = 40, 60
Arrays = tuple[np.ndarray, np.ndarray]


def drawn(seed: int = 0) -> Arrays:
    """A window ``(f + 2, t)`` with a loud middle that is voiced in stretches, and its mask."""
    rng = np.random.default_rng(seed)
    bands = rng.normal(-50, 4, (BANDS, FRAMES)) + 20 * np.sin(np.linspace(0, 3, FRAMES)) ** 2
    octaves = np.cumsum(rng.normal(0, 0.08, FRAMES))
    octaves[30] += 1.2
    voicing = rng.uniform(0.2, 1, FRAMES)
    return np.vstack((bands, octaves, voicing)), np.arange(FRAMES) < 50


def by_hand(window: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The statistics frame by frame, in plain words."""
    bands, octaves, voicing = window[:BANDS, mask], window[-2, mask], window[-1, mask]
    bands = np.maximum(bands, bands.max() - 80)
    bands = (bands - bands.mean()) / 20
    energy = bands.mean(0)
    loud = energy > energy.mean()
    voiced = loud & (voicing > voicing[loud].mean())
    pairs = bands.reshape(BANDS // 2, 2, -1).mean(1)
    both = np.vstack((pairs, dct(bands, axis=0, norm="ortho")[1 : N_CEPSTRUM + 1]))
    steps, moved = np.diff(both, axis=1), loud[1:]
    parts = [both[:, loud].mean(1), both[:, loud].std(1)]
    parts += [np.abs(steps[:, moved]).mean(1), steps[:, moved].std(1)]
    moves = np.diff(octaves)
    steady = voiced[1:] & voiced[:-1] & (np.abs(moves) < 0.2)
    high = octaves[voiced]
    numbers = [high.mean(), high.std(), high.max(), high.min()]
    numbers += [np.abs(moves[steady]).mean(), moves[steady].mean()]
    numbers += [voiced.sum() / loud.sum(), loud.mean(), loud.sum() / FRAMES]
    numbers += [voicing[loud].mean(), voicing[loud].std(), energy[loud].std()]
    numbers += [np.abs(np.diff(energy))[loud[1:]].mean()]
    first, last = np.flatnonzero(loud)[[0, -1]]
    for k in range(3):
        place = (np.arange(len(loud)) - first) * 3 // (last + 1 - first) == k
        there = voiced & place
        numbers.append((octaves[there] - high.mean()).mean() if there.any() else 0.0)
        numbers.append(energy[place].mean() - energy[loud].mean())
    return np.concatenate((*parts, numbers))


def statistics(*windows: Arrays) -> np.ndarray:
    box = AudioStatisticsHead(BANDS + 2, 3, level_norm=True).double()
    rows = torch.from_numpy(np.stack([window for window, _ in windows])).transpose(1, 2)
    mask = torch.from_numpy(np.stack([real for _, real in windows]))
    return box.statistics(rows * mask[..., None], mask).numpy()


@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_those_computed_frame_by_frame(seed):
    window, mask = drawn(seed)
    found = statistics((window, mask))[0]
    assert np.allclose(found, by_hand(window, mask), atol=1e-5)


def test_level_and_padding_do_not_matter():
    window, mask = drawn()
    louder = window.copy()
    louder[:BANDS] += 17.0
    other = np.where(mask, window, 1e3)
    a, b, c = statistics((window, mask), (louder, mask), (other, mask))
    assert np.allclose(a, b) and np.allclose(a, c)


@pytest.mark.parametrize("real", [0, 1, 2])
def test_hardly_any_audio_gives_numbers(real):
    window, _ = drawn()
    found = statistics((window, np.arange(FRAMES) < real))
    assert np.isfinite(found).all()


def test_logits_are_zero_without_audio_and_left_out_of_some_samples_while_training():
    torch.manual_seed(0)
    box = AudioStatisticsHead(BANDS + 2, 3, level_norm=True)
    window, mask = drawn()
    audio = torch.from_numpy(np.stack([window] * 300)).float()
    masks = torch.from_numpy(np.stack([mask] * 299 + [np.zeros(FRAMES, bool)]))
    silent = (box(audio, masks)["audio_statistics"] == 0).all(dim=1)
    assert 60 < silent.sum() < 140 and silent[-1]
    silent = (box.eval()(audio, masks)["audio_statistics"] == 0).all(dim=1)
    assert silent.sum() == 1 and silent[-1]


def test_convolutions_do_not_see_pitch_and_pitch_needs_experts():
    sizes = {"video": "features", "video_dim": 4, "audio_dim": BANDS + 2}
    network = build_model("experts", ModelConfig(**sizes, pitch=True, audio_stride=2)).eval()
    window, mask = drawn()
    audio = torch.from_numpy(np.stack([window, window])).float()
    audio[1, -2:] = torch.rand(2, FRAMES)
    masks = torch.from_numpy(np.stack([mask, mask]))
    out = network(torch.randn(1, 9, 4).expand(2, 9, 4), audio, None, masks)
    assert torch.equal(out.audio_tokens[0], out.audio_tokens[1])
    assert not torch.allclose(
        out.expert_logits["audio_statistics"][0], out.expert_logits["audio_statistics"][1]
    )
    with pytest.raises(ConfigError, match="pitch without a product of experts"):
        build_model("figure", ModelConfig(**sizes, pitch=True))


def test_every_second_frame_is_the_audio_of_twice_the_hop():
    torch.manual_seed(0)
    sizes = {"video": "features", "video_dim": 4, "audio_dim": BANDS}
    fine = build_model("experts", ModelConfig(**sizes, audio_stride=2)).eval()
    coarse = build_model("experts", ModelConfig(**sizes)).eval()
    coarse.load_state_dict(fine.state_dict())
    window, mask = drawn()
    audio, seen = torch.from_numpy(window[None, :BANDS, :59]).float(), torch.randn(1, 9, 4)
    mask = torch.from_numpy(mask[None, :59])
    assert torch.allclose(
        fine(seen, audio, None, mask).logits,
        coarse(seen, audio[..., ::2], None, mask[:, ::2]).logits,
    )
