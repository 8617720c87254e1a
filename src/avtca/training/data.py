"""Windows for training and evaluation, made through :mod:`avtca.preprocess`.

Everything random is drawn from ``(seed, epoch, take)``, so a resumed run sees what the unbroken
one saw, whichever process makes the batch. Shape legend: ``b`` batch, ``t_v`` video steps,
``t_a`` sound frames, ``f`` features.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from avtca.corpora.clipfile import RawTake
from avtca.errors import ConfigError
from avtca.preprocess import Window, sound_window, visual_window, window_start_steps
from avtca.sound.augment import WaveAugment, mask_features
from avtca.training.recipe import Augmentation
from avtca.training.takes import TakeSet

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


class Batch(NamedTuple):
    """``visual (b, t_v, ...)``, ``visual_mask (b, t_v)``, ``sound (b, f, t_a)``,
    ``sound_mask (b, t_a)``, ``target (b, n_labels)``, ``take (b,)`` index in the set.
    """

    visual: Tensor
    visual_mask: Tensor
    sound: Tensor
    sound_mask: Tensor
    target: Tensor
    take: Tensor


class Windows:
    """Windows of a set of takes.

    ``keep``: sound features and visual features stay in memory once made (face crops never do).
    """

    def __init__(self, takes: TakeSet, *, keep: bool = True) -> None:
        self.takes, self.spec, self.keep = takes, takes.spec, keep
        self._kept: dict[tuple[str, int, int], tuple[Float, Bool]] = {}

    def wave(self, raw: RawTake, start_step: int) -> Float:
        """The window's samples, shorter where the file ends first."""
        start = round(start_step / self.spec.video_rate * self.spec.sample_rate)
        return raw.wave[start : start + self.spec.window_samples]

    def visual(self, index: int, start_step: int) -> tuple[Float, Bool]:
        """Video steps of one window and their mask."""
        key = "visual", index, start_step
        if key in self._kept:
            return self._kept[key]
        raw = self.takes.raws[index]
        out = visual_window(raw.steps, raw.visual, start_step, self.spec)
        if self.keep and self.spec.visual == "features":
            self._kept[key] = out
        return out

    def sound(self, index: int, start_step: int) -> tuple[Float, Bool]:
        """Sound features of one window and their mask."""
        key = "sound", index, start_step
        if key in self._kept:
            return self._kept[key]
        out = sound_window(self.wave(self.takes.raws[index], start_step), self.spec)
        if self.keep:
            self._kept[key] = out
        return out

    def window(self, index: int, start_step: int) -> Window:
        """Both modalities."""
        return self.visual(index, start_step) + self.sound(index, start_step)

    def last_start(self, index: int) -> int:
        """The largest start at which the window still lies inside the take."""
        return window_start_steps(self.takes.durations[index], self.spec)[-1]


def check_augmentation(augmentation: Augmentation, takes: TakeSet) -> None:
    """Refuse an augmentation that could never fire on these takes (trap 3 of the field)."""
    spec = takes.spec
    asked = "train with this augmentation"
    if augmentation.crop and augmentation.crop_slack_s * spec.video_rate < 1:
        longest = max(takes.durations)
        if window_start_steps(longest, spec)[-1] == 0:
            raise ConfigError(
                asked,
                f"'crop' could never fire: the longest take has {longest:.2f} s, "
                f"a window {spec.window_s:g} s",
                "set augmentation.crop_slack_s, switch crop off, or use shorter windows",
            )
    if augmentation.visual_noise and spec.visual != "features":
        raise ConfigError(
            asked,
            "'visual_noise' varies visual features, the ClipSpec holds pixels",
            "set augmentation.visual_noise to 0 and use augmentation.pixels",
        )
    if augmentation.pixels and spec.visual != "pixels":
        raise ConfigError(
            asked,
            "'pixels' varies face crops, the ClipSpec holds features",
            "set augmentation.pixels to false",
        )


class TrainingData(Dataset[Any]):
    """One window of each take, drawn and varied anew in each epoch.

    Keys are ``(epoch, take index)``; see :class:`EpochOrder`.
    """

    def __init__(self, takes: TakeSet, augmentation: Augmentation, seed: int) -> None:
        check_augmentation(augmentation, takes)
        self.windows, self.augmentation, self.seed = Windows(takes), augmentation, seed
        self.targets = takes.targets
        self._vary_wave = WaveAugment(
            chance=augmentation.waveform,
            gain_db=(-augmentation.gain_db, augmentation.gain_db) if augmentation.gain_db else None,
        )

    def __len__(self) -> int:
        return len(self.windows.takes)

    def draw(self, epoch: int, index: int) -> Window:
        """The window of one take in one epoch."""
        rng = np.random.default_rng([self.seed, epoch, index])
        start = self._start(rng, index)
        visual, visual_mask = self.windows.visual(index, start)
        if self.augmentation.touches_waveform:
            spec = self.windows.spec
            wave = self.windows.wave(self.windows.takes.raws[index], start)
            wave = self._vary_wave(wave, spec.sample_rate, rng)
            sound, sound_mask = sound_window(wave, spec)
        else:
            sound, sound_mask = self.windows.sound(index, start)
        sound = self._mask_bars(sound, sound_mask, rng)
        visual, visual_mask = self._vary_visual(visual, visual_mask, rng)
        return visual, visual_mask, sound, sound_mask

    def _mask_bars(self, sound: Float, mask: Bool, rng: np.random.Generator) -> Float:
        a, spec = self.augmentation, self.windows.spec
        if not (a.time_masks or a.band_masks):
            return sound
        return mask_features(
            sound,
            rng,
            time_masks=a.time_masks,
            time_width=max(1, round(a.time_mask_s * spec.sample_rate / spec.hop)),
            band_masks=a.band_masks,
            band_width=max(1, round(a.band_mask_share * spec.sound_dim)),
            real=mask,
        )

    def _vary_visual(
        self, visual: Float, mask: Bool, rng: np.random.Generator
    ) -> tuple[Float, Bool]:
        a = self.augmentation
        if a.visual_noise:
            noise = rng.standard_normal(visual.shape, np.float32) * np.float32(a.visual_noise)
            visual = np.where(mask[:, None], visual + noise, visual)
        if a.step_dropout:
            mask = mask & (rng.random(len(mask)) >= a.step_dropout)
        return visual, mask

    def _start(self, rng: np.random.Generator, index: int) -> int:
        if not self.augmentation.crop:
            return 0
        slack = int(self.augmentation.crop_slack_s * self.windows.spec.video_rate)
        return int(rng.integers(0, max(self.windows.last_start(index), slack) + 1))

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        drawn = [self.draw(epoch, index) for epoch, index in keys]
        indices = np.array([index for _, index in keys])
        return _batch(drawn, self.targets[indices], indices)


class EvaluationData(Dataset[Any]):
    """The windows of ``preprocess.window_start_steps`` of each take, in order.

    A take's score is the mean of its windows' probabilities: :func:`mean_by_take`.
    """

    def __init__(self, takes: TakeSet, hop_s: float | None = None) -> None:
        self.windows = Windows(takes)
        self.targets = takes.targets
        self.rows = [
            (index, start)
            for index, duration_s in enumerate(takes.durations)
            for start in window_start_steps(duration_s, takes.spec, hop_s)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, keys: Sequence[int]) -> Batch:
        rows = [self.rows[key] for key in keys]
        made = [self.windows.window(*row) for row in rows]
        indices = np.array([index for index, _ in rows])
        return _batch(made, self.targets[indices], indices)


def _batch(windows: Sequence[Window], targets: Float, indices: NDArray[np.int64]) -> Batch:
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True)]
    return Batch(*parts, torch.from_numpy(targets), torch.from_numpy(indices))


class EpochOrder(Sampler[tuple[int, int]]):
    """Order of the takes in an epoch: a permutation drawn from ``(seed, epoch)``.

    Each process sees its share of every global batch, so that a step of two processes is the
    step of one. Takes that do not fill the last batch are left out of that epoch.
    """

    def __init__(self, n: int, batch: int, seed: int, *, rank: int = 0, world: int = 1) -> None:
        if batch % world:
            raise ConfigError(
                f"share a batch of {batch} among {world} processes",
                "it does not divide",
                f"choose a batch that is a multiple of {world}",
            )
        self.n, self.batch, self.seed, self.rank, self.world = n, min(batch, n), seed, rank, world
        self.batch -= self.batch % world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loop before each epoch."""
        self.epoch = epoch

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""
        return self.n // self.batch

    def __len__(self) -> int:
        return self.steps * self.batch // self.world

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n)
        mine = order[: self.steps * self.batch].reshape(self.steps, self.batch)
        for index in mine[:, self.rank :: self.world].ravel():
            yield self.epoch, int(index)


def _same(batch: Batch) -> Batch:
    return batch


def training_loader(
    data: TrainingData, batch: int, *, workers: int = 0, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Batches of one epoch after another."""
    order = EpochOrder(len(data), batch, data.seed, rank=rank, world=world)
    return DataLoader(
        data,
        batch_size=order.batch // world,
        sampler=order,
        collate_fn=_same,
        num_workers=workers,
        persistent_workers=False,
    )


def evaluation_loader(data: EvaluationData, batch: int = 64, workers: int = 0) -> DataLoader[Any]:
    """All windows in order."""
    return DataLoader(data, batch_size=batch, collate_fn=_same, num_workers=workers)


def mean_by_take(scores: Float, take: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Mean over the windows of each take: ``(windows, k)``, ``(windows,)`` -> ``(n, k)``.

    Rows of takes without a window are NaN.
    """
    total = np.zeros((n, scores.shape[1]), np.float64)
    np.add.at(total, take, scores.astype(np.float64))
    count = np.bincount(take, minlength=n)[:, None]
    with np.errstate(invalid="ignore"):
        return total / count
