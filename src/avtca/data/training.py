"""Windows for training and evaluation, made through :mod:`avtca.preprocess`.

Everything random is drawn from ``(seed, epoch, sample)``, so a resumed run sees what the unbroken
one saw, whichever process makes the batch. Shape legend: ``b`` batch, ``t_v`` video steps,
``t_a`` audio frames, ``f`` features.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from avtca.audio.augment import WaveAugment, vary_channel
from avtca.corpora.sample_file import RawSample
from avtca.data.augment import CropAugment, vary_posteriors
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset
from avtca.data.windows import N_POSTERIORS, POSTERIORS, Batch, Windows, make_batch, same
from avtca.errors import ConfigError
from avtca.preprocess import Window, window_start_steps

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
SPEEDS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Speeds in shares of ``Augmentation.speed``: few, so that windows made once can be kept."""


def check_augmentation(augmentation: Augmentation, samples: EmotionDataset) -> None:
    """Refuse an augmentation that could never fire on these samples (trap 3 of the field)."""
    spec = samples.spec
    action = "train with this augmentation"
    if augmentation.crop is True and augmentation.crop_slack_s * spec.video_rate < 1:
        longest = max(samples.durations)
        if window_start_steps(longest, spec)[-1] == 0:
            raise ConfigError(
                action,
                f"'crop' could never fire: the longest sample has {longest:.2f} s, "
                f"a window {spec.window_s:g} s",
                "set augmentation.crop_slack_s, switch crop off, or use shorter windows",
            )
    if augmentation.touches_waveform and spec.audio == "features":
        raise ConfigError(
            action,
            "'waveform' and 'gain_db' vary a waveform, the corpus ships audio features",
            "set augmentation.waveform and augmentation.gain_db to 0",
        )
    by_band = augmentation.channel_db or augmentation.background
    if by_band and (not spec.bands or samples.normalisation is not None):
        found = spec.audio if samples.normalisation is None else "standardised"
        raise ConfigError(
            action,
            f"'channel_db' and 'background' vary mel bands in dB, the samples' audio is {found}",
            "set augmentation.channel_db and augmentation.background to 0",
        )
    if augmentation.video_noise and spec.video != "features":
        raise ConfigError(
            action,
            "'video_noise' varies video features, the ClipSpec holds pixels",
            "set augmentation.video_noise to 0 and use augmentation.pixels",
        )
    if augmentation.posterior_bias and not spec.video_features.startswith(POSTERIORS):
        raise ConfigError(
            action,
            f"'posterior_bias' varies {POSTERIORS}, the video features are "
            f"{spec.video_features or 'pixels'}",
            "set augmentation.posterior_bias to 0",
        )
    if augmentation.posterior_bias and samples.normalisation is not None:
        raise ConfigError(
            action,
            "'posterior_bias' varies probabilities, the samples are standardised",
            "set augmentation.posterior_bias to 0",
        )
    if augmentation.pixels and spec.video != "pixels":
        raise ConfigError(
            action,
            "'pixels' varies face crops, the ClipSpec holds features",
            "set augmentation.pixels to false",
        )


class TrainingDataset(Dataset[Any]):
    """One window of each sample, drawn and varied anew in each epoch.

    Keys are ``(epoch, sample index)``; see :class:`EpochSampler`.
    """

    def __init__(self, samples: EmotionDataset, augmentation: Augmentation, seed: int) -> None:
        check_augmentation(augmentation, samples)
        self.windows, self.augmentation, self.seed = Windows(samples), augmentation, seed
        self.targets = samples.targets
        self._vary_crops = CropAugment()
        self._vary_wave = WaveAugment(
            chance=augmentation.waveform,
            gain_db=(-augmentation.gain_db, augmentation.gain_db) if augmentation.gain_db else None,
        )

    def __len__(self) -> int:
        return len(self.windows.samples)

    def draw(self, epoch: int, index: int) -> Window:
        """The window of one sample in one epoch."""
        rng = np.random.default_rng([self.seed, epoch, index])
        samples, a = self.windows.samples, self.augmentation
        factor = 1 + a.speed * float(rng.choice(SPEEDS)) if a.speed else 1.0
        start = self._start(rng, samples.durations[index] / factor)
        video, video_mask = self.windows.video(index, start, factor)
        if a.touches_waveform:
            raw = self._with_varied_wave(self.windows.raw(index, factor), start, rng)
            audio, audio_mask = self.windows.audio_of(raw, start, samples.speakers[index])
        else:
            audio, audio_mask = self.windows.audio(index, start, factor)
        if a.channel_db or a.background:
            n = self.windows.spec.bands
            varied = vary_channel(audio[:n], rng, channel_db=a.channel_db, noise=a.background)
            audio = np.concatenate((np.where(audio_mask, varied, audio[:n]), audio[n:]))
        video, video_mask = self._vary_video(video, video_mask, rng)
        return video, video_mask, audio, audio_mask

    def _start(self, rng: np.random.Generator, duration_s: float) -> int:
        spec, crop = self.windows.spec, self.augmentation.crop
        if crop is not True:
            return window_start_steps(duration_s, spec)[-1] // 2 if crop else 0
        slack = int(self.augmentation.crop_slack_s * spec.video_rate)
        return int(rng.integers(0, max(window_start_steps(duration_s, spec)[-1], slack) + 1))

    def _with_varied_wave(self, raw: RawSample, start: int, rng: np.random.Generator) -> RawSample:
        """The sample with the samples of one window varied."""
        heard = self.windows.wave(raw, start)
        if not len(heard):
            return raw
        spec = self.windows.spec
        wave = raw.wave.copy()
        first = round(start / spec.video_rate * spec.sample_rate)
        wave[first : first + len(heard)] = self._vary_wave(heard, spec.sample_rate, rng)
        return replace(raw, wave=wave)

    def _vary_video(self, video: Float, mask: Bool, rng: np.random.Generator) -> tuple[Float, Bool]:
        a = self.augmentation
        if a.pixels:
            video = self._vary_crops(video, mask, rng)
        if a.posterior_bias:
            varied = vary_posteriors(video, rng, bias=a.posterior_bias, n=N_POSTERIORS)
            video = np.where(mask[:, None], varied, video)
        if a.video_noise:
            noise = rng.standard_normal(video.shape, np.float32) * np.float32(a.video_noise)
            video = np.where(mask[:, None], video + noise, video)
        if a.step_dropout:
            mask = mask & (rng.random(len(mask)) >= a.step_dropout)
        return video, mask

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        drawn = [self.draw(epoch, index) for epoch, index in keys]
        indices = np.array([index for _, index in keys])
        return make_batch(drawn, self.targets[indices], indices)


class EpochSampler(Sampler[tuple[int, int]]):
    """Order of the samples in an epoch: a permutation drawn from ``(seed, epoch)``.

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
        if n < world:
            raise ConfigError(
                f"share {n} training samples among {world} processes",
                "there is less than one for each",
                "start fewer processes",
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


def training_loader(
    data: TrainingDataset, batch: int, *, workers: int = 0, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Batches of one epoch after another."""
    order = EpochSampler(len(data), batch, data.seed, rank=rank, world=world)
    if data.augmentation.mixup and order.batch == world:
        raise ConfigError(
            "train with mixup",
            f"it mixes samples of a process's batch, which has one (of {order.batch} in {world})",
            "set augmentation.mixup to 0, or a larger batch",
        )
    return DataLoader(
        data,
        batch_size=order.batch // world,
        sampler=order,
        collate_fn=same,
        num_workers=workers,
        persistent_workers=False,
    )
