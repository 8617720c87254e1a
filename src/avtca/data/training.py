"""Augmented windows for training.

All randomness is a function of seed, epoch and sample, so that a resumed run sees what an
uninterrupted one does, whichever process makes the batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from avtca.audio.augment import WaveAugment, vary_channel
from avtca.clipspec import N_POSTERIORS
from avtca.data.augment import CropAugment, vary_posteriors
from avtca.data.augment_config import Augmentation, check_augmentation
from avtca.data.dataset import EmotionDataset
from avtca.data.windows import Batch, identity, make_batch
from avtca.errors import ConfigError
from avtca.preprocess import RawSample, Window

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
SPEEDS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Speeds as shares of ``Augmentation.speed``; few, so that cached windows are used again."""


class TrainingDataset(Dataset[Any]):
    """One augmented window of each sample in each epoch.

    Keys are ``(epoch, sample index)``, see :class:`EpochSampler`.
    """

    def __init__(self, dataset: EmotionDataset, augmentation: Augmentation, seed: int) -> None:
        check_augmentation(augmentation, dataset)
        self.dataset, self.augmentation, self.seed = dataset, augmentation, seed
        self._augment_crops = CropAugment()
        self._augment_wave = WaveAugment(
            chance=augmentation.waveform,
            gain_db=(-augmentation.gain_db, augmentation.gain_db) if augmentation.gain_db else None,
        )

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        windows = [self.draw(epoch, index) for epoch, index in keys]
        indices = np.array([index for _, index in keys])
        return make_batch(windows, self.dataset.targets[indices], indices)

    def draw(self, epoch: int, index: int) -> Window:
        """The window of one sample in one epoch."""
        rng = np.random.default_rng([self.seed, epoch, index])
        dataset, a = self.dataset, self.augmentation
        speed = 1 + a.speed * float(rng.choice(SPEEDS)) if a.speed else 1.0
        start = self._start(rng, dataset.durations[index] / speed)
        video, video_mask = dataset.video(index, start, speed)
        if a.touches_waveform:
            sample = self._with_augmented_wave(dataset.at_speed(index, speed), start, rng)
            audio, audio_mask = dataset.cut_audio(index, sample, start)
        else:
            audio, audio_mask = dataset.audio(index, start, speed)
        if a.channel_db or a.background:
            n = dataset.spec.bands
            varied = vary_channel(audio[:n], rng, channel_db=a.channel_db, noise=a.background)
            audio = np.concatenate((np.where(audio_mask, varied, audio[:n]), audio[n:]))
        video, video_mask = self._augment_video(video, video_mask, rng)
        return video, video_mask, audio, audio_mask

    def _start(self, rng: np.random.Generator, duration_s: float) -> int:
        crop, extractor = self.augmentation.crop, self.dataset.extractor
        last = extractor.starts(duration_s)[-1]
        if crop is not True:
            return last // 2 if crop else 0
        slack = int(self.augmentation.crop_slack_s * extractor.spec.video_rate)
        return int(rng.integers(0, max(last, slack) + 1))

    def _with_augmented_wave(
        self, sample: RawSample, start: int, rng: np.random.Generator
    ) -> RawSample:
        """The sample with the waveform of one window augmented."""
        extractor = self.dataset.extractor
        window = extractor.wave(sample, start)
        if not len(window):
            return sample
        wave, first = sample.wave.copy(), extractor.first_sample(start)
        augmented = self._augment_wave(window, extractor.spec.sample_rate, rng)
        wave[first : first + len(window)] = augmented
        return replace(sample, wave=wave)

    def _augment_video(
        self, video: Float, mask: Bool, rng: np.random.Generator
    ) -> tuple[Float, Bool]:
        a = self.augmentation
        if a.pixels:
            video = self._augment_crops(video, mask, rng)
        if a.posterior_bias:
            varied = vary_posteriors(video, rng, bias=a.posterior_bias, n=N_POSTERIORS)
            video = np.where(mask[:, None], varied, video)
        if a.video_noise:
            noise = rng.standard_normal(video.shape, np.float32) * np.float32(a.video_noise)
            video = np.where(mask[:, None], video + noise, video)
        if a.step_dropout:
            mask = mask & (rng.random(len(mask)) >= a.step_dropout)
        return video, mask


class EpochSampler(Sampler[tuple[int, int]]):
    """Order of the samples in an epoch: a permutation that depends on seed and epoch.

    Each process gets its share of every global batch, so that a step of several processes is the
    same as a step of one. Samples that do not fill the last batch are left out of the epoch.

    Args:
        n: Number of samples.
        batch: Samples in a global batch; at most ``n`` are used.
        seed: Seed of the run.
        rank: Number of this process.
        world: Number of processes.

    Raises:
        ConfigError: If a batch cannot be shared among the processes.
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
        """Set the epoch; called before each one."""
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
    """Batches of the epoch that its sampler is set to.

    Raises:
        ConfigError: If mixup is on and a process's batch has a single sample.
    """
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
        collate_fn=identity,
        num_workers=workers,
        persistent_workers=False,
    )
