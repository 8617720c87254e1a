"""Augmentation fires: every part changes the tensors it is for, and only these."""

import numpy as np
import pytest

from avtca.data.augment import CropAugment, gaussian_blur, vary_posteriors

OFF = {
    "flip": 0.0,
    "rotate_deg": 0.0,
    "zoom": 0.0,
    "shift": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "blur": 0.0,
}


def window(channels: int = 3, px: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    picture = rng.uniform(0.2, 0.8, (channels, 1, px)) * np.ones((channels, px, px))
    video = np.repeat(picture[None].astype(np.float32), 6, axis=0)
    mask = np.array([True, True, False, True, True, False])
    video[~mask] = 0
    return video, mask


@pytest.mark.parametrize("part", sorted(OFF))
def test_each_part_alone_changes_the_crops(part: str) -> None:
    video, mask = window()
    strength = {"rotate_deg": 10.0}.get(part, 1.0 if part in ("flip", "blur") else 0.2)
    vary = CropAugment(**{**OFF, part: strength})
    before = video.copy()
    out = vary(video, mask, np.random.default_rng(0))
    assert np.abs(out[mask] - video[mask]).max() > 0.01
    np.testing.assert_array_equal(video, before)
    np.testing.assert_array_equal(out[~mask], video[~mask])
    assert out.dtype == np.float32 and out.shape == video.shape
    assert out.min() >= 0 and out.max() <= 1


def test_with_all_parts_off_nothing_changes() -> None:
    video, mask = window()
    out = CropAugment(**OFF)(video, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(out, video)


def test_one_draw_for_a_window_and_another_for_the_next() -> None:
    video, mask = window()
    vary, rng = CropAugment(), np.random.default_rng(0)
    first, second = vary(video, mask, rng), vary(video, mask, rng)
    for out in (first, second):
        for step in np.flatnonzero(mask):
            np.testing.assert_array_equal(out[step], out[0])
    assert not np.array_equal(first, second)
    again = vary(video, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(again, first)


def test_it_fires_about_as_often_as_it_says() -> None:
    video, mask = window(px=8)
    vary, rng = CropAugment(**{**OFF, "flip": 0.5}), np.random.default_rng(0)
    flipped = sum(not np.array_equal(vary(video, mask, rng), video) for _ in range(200))
    assert 70 < flipped < 130


def test_a_flip_is_a_mirror_and_grey_has_no_saturation() -> None:
    video, mask = window()
    out = CropAugment(**{**OFF, "flip": 1.0})(video, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(out[mask], video[mask][..., ::-1])
    grey, mask = window(channels=1)
    same = CropAugment(**{**OFF, "saturation": 0.5})(grey, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(same, grey)


def test_a_window_without_a_face_stays_empty() -> None:
    video, mask = window()
    none = np.zeros_like(mask)
    out = CropAugment()(np.zeros_like(video), none, np.random.default_rng(0))
    assert not out.any()


def test_blur_keeps_brightness_and_removes_detail() -> None:
    import torch

    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    out = gaussian_blur(noise, 2.0)
    assert out.shape == noise.shape
    assert out.std() < noise.std() / 3
    assert abs(float(out.mean() - noise.mean())) < 0.02
    flat = gaussian_blur(torch.full((1, 1, 9, 9), 0.3), 1.0)
    assert torch.allclose(flat, torch.full((1, 1, 9, 9), 0.3), atol=1e-6)


def test_posteriors_are_shifted_alike_in_all_steps_and_stay_probabilities() -> None:
    rng = np.random.default_rng(0)
    video = np.concatenate((rng.dirichlet(np.ones(7), 5), rng.normal(size=(5, 2))), 1)
    video = video.astype(np.float32)
    before = video.copy()
    out = vary_posteriors(video, np.random.default_rng(1), bias=0.5, n=7)
    np.testing.assert_array_equal(video, before)
    np.testing.assert_array_equal(out[:, 7:], video[:, 7:])
    np.testing.assert_allclose(out[:, :7].sum(1), 1, atol=1e-6)
    assert np.abs(out[:, :7] - video[:, :7]).max() > 0.05
    # logits: one stretch for all, one shift for each expression, the same in every step
    old, new = np.log(np.maximum(video[:, :7], 1e-4)), np.log(out[:, :7])
    old, new = (x - x[:, :1] for x in (old, new))
    old, new = (x[1:] - x[:1] for x in (old, new))
    stretch = (old * new).sum() / (old * old).sum()
    np.testing.assert_allclose(new, stretch * old, atol=1e-3)
    assert stretch != pytest.approx(1, abs=0.01)
