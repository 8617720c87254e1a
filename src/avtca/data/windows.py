"""Windows of samples as batches, made through :mod:`avtca.preprocess`.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio frames, ``f`` features.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from avtca.clipspec import PITCH_ROWS, ClipSpec
from avtca.corpora.sample_file import RawSample
from avtca.data.dataset import EmotionDataset, Key, SpeakerStatistics
from avtca.data.speed import vary_speed
from avtca.model.audio_statistics import loud_and_voiced
from avtca.model.frontends import MIN_PROB
from avtca.preprocess import (
    Window,
    audio_series_window,
    audio_window,
    video_window,
    window_start_steps,
)

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
POSTERIORS, N_POSTERIORS = "expression7", 7
"""Video features that begin with probabilities of seven expressions, and how many they are."""
KEPT_BYTES = 4e9
"""Memory that windows may fill, about."""


class Batch(NamedTuple):
    """``video (b, t_v, ...)``, ``video_mask (b, t_v)``, ``audio (b, f, t_a)``,
    ``audio_mask (b, t_a)``, ``target (b, n_labels)``, ``sample (b,)`` index in the set.
    """

    video: Tensor
    video_mask: Tensor
    audio: Tensor
    audio_mask: Tensor
    target: Tensor
    sample: Tensor


class Windows:
    """Windows of a set of samples; audio and video features stay in memory once made.

    Face crops are never kept.
    """

    def __init__(self, samples: EmotionDataset) -> None:
        self.samples, self.spec, self._kept = samples, samples.spec, samples.cache
        self._varied: tuple[tuple[int, float], RawSample] | None = None

    def _keep(self, key: Key, made: tuple[Float, Bool]) -> None:
        if len(self._kept) * made[0].nbytes < KEPT_BYTES:
            self._kept[key] = made

    def wave(self, raw: RawSample, start_step: int) -> Float:
        """The window's samples, shorter where the file ends first."""
        start = round(start_step / self.spec.video_rate * self.spec.sample_rate)
        return raw.wave[start : start + self.spec.window_samples]

    def raw(self, index: int, speed: float = 1.0) -> RawSample:
        """The sample, played ``speed`` times as fast; the last one is kept for its other modality."""
        if speed == 1:
            return self.samples.samples[index]
        if self._varied is None or self._varied[0] != (index, speed):
            varied = vary_speed(self.samples.samples[index], speed, self.spec)
            self._varied = (index, speed), varied
        return self._varied[1]

    def video(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Video steps of one window and their mask."""
        key = "video", self.samples.sample_ids[index], start_step, speed
        if key in self._kept:
            return self._kept[key]
        out = self.video_of(self.raw(index, speed), start_step, self.samples.speakers[index])
        if self.spec.video == "features":
            self._keep(key, out)
        return out

    def audio(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Audio features of one window and their mask."""
        key = "audio", self.samples.sample_ids[index], start_step, speed
        if key in self._kept:
            return self._kept[key]
        out = self.audio_of(self.raw(index, speed), start_step, self.samples.speakers[index])
        self._keep(key, out)
        return out

    def video_of(self, raw: RawSample, start_step: int, speaker: str) -> tuple[Float, Bool]:
        """Video steps of a sample that may differ from the set's."""
        values, mask = video_window(raw.steps, raw.video, start_step, self.spec)
        if self.samples.normalisation is not None and self.spec.video == "features":
            mean, deviation = self.samples.normalisation[speaker].video
            centred = (spread_evenly(values, self.spec) - mean) / deviation
            values = np.where(mask[:, None], centred, np.float32(0))
        return values, mask

    def audio_of(self, raw: RawSample, start_step: int, speaker: str) -> tuple[Float, Bool]:
        """Audio features of a sample that may differ from the set's."""
        if raw.audio is not None and raw.audio_times is not None:
            start_s = start_step / self.spec.video_rate
            values, mask = audio_series_window(raw.audio_times, raw.audio, start_s, self.spec)
        else:
            values, mask = audio_window(self.wave(raw, start_step), self.spec)
        if self.samples.normalisation is not None:
            mean, deviation = self.samples.normalisation[speaker].audio
            values = np.where(mask, (values - mean) / deviation, np.float32(0))
        return values, mask

    def window(self, index: int, start_step: int) -> Window:
        """Both modalities."""
        return self.video(index, start_step) + self.audio(index, start_step)


def speaker_normalise(samples: EmotionDataset) -> EmotionDataset:
    """Each speaker's features brought to zero mean and unit deviation over their own samples.

    All samples of the speaker count, their labels do not: this is a protocol of its own, for
    settings in which unlabelled samples of the person exist beforehand. Posteriors of expressions
    count by their logarithms (:func:`spread_evenly`); pitch by its voiced frames, since it is
    noise in all others.
    """
    plain = Windows(samples)
    sums: dict[str, list[NDArray[np.float64]]] = {}
    for index, speaker in enumerate(samples.speakers):
        for start in window_start_steps(
            samples.durations[index], samples.spec, samples.spec.window_s
        ):
            video, seen = plain.video(index, start)
            audio, heard = plain.audio(index, start)
            columns = audio[:, heard].astype(np.float64)
            rows = np.zeros((1, 1))  # face crops are not standardised
            if samples.spec.video == "features":
                rows = spread_evenly(video[seen], samples.spec).astype(np.float64).T
            real = np.ones(columns.shape, bool)
            if samples.spec.pitch:
                real[-PITCH_ROWS] = _voiced(columns)
            parts = [_moments(columns, real), _moments(rows)]
            if speaker in sums:
                sums[speaker] = [a + b for a, b in zip(sums[speaker], parts, strict=True)]
            else:
                sums[speaker] = parts
    standard = {}
    for speaker, (audio_sums, video_sums) in sums.items():
        mean, deviation = _mean_deviation(video_sums)
        a_mean, a_deviation = _mean_deviation(audio_sums)
        standard[speaker] = SpeakerStatistics(
            (a_mean[:, None], a_deviation[:, None]), (mean, deviation)
        )
    return replace(samples, normalisation=standard)


def spread_evenly(video: Float, spec: ClipSpec) -> Float:
    """Video features ``(t_v, ...)`` with posteriors of expressions as logarithms.

    Most posteriors are near 0 or 1, where a mean and a deviation say little of them.
    """
    if not spec.video_features.startswith(POSTERIORS):
        return video
    out = video.copy()
    out[:, :N_POSTERIORS] = np.log(np.maximum(video[:, :N_POSTERIORS], MIN_PROB))
    return out


def _voiced(columns: NDArray[np.float64]) -> Bool:
    """Frames of ``(f, n)`` whose pitch is one, as the network's ``AudioStatisticsHead`` tells them."""
    bands = torch.from_numpy(columns[:-PITCH_ROWS]).mean(dim=0)
    voicing = torch.from_numpy(columns[-1:])
    _, voiced = loud_and_voiced(bands[None], voicing, torch.ones_like(voicing, dtype=torch.bool))
    return np.asarray(voiced[0])


def _moments(values: NDArray[np.float64], real: Bool | None = None) -> NDArray[np.float64]:
    """Count, sum and sum of squares of each row of ``(f, n)``, where ``real``: ``(3, f)``."""
    real = np.ones(values.shape, bool) if real is None else real
    counted = np.where(real, values, 0)
    return np.stack([real.sum(1), counted.sum(1), np.square(counted).sum(1)])


def _mean_deviation(sums: NDArray[np.float64]) -> tuple[Float, Float]:
    count = np.maximum(sums[0], 1)
    mean = sums[1] / count
    deviation = np.sqrt(np.maximum(sums[2] / count - mean**2, 1e-6))
    return mean.astype(np.float32), deviation.astype(np.float32)


class WindowDataset(Dataset[Any]):
    """The windows of ``preprocess.window_start_steps`` of each sample, in order.

    A sample's score is the mean of its windows' probabilities: :func:`mean_by_sample`.
    """

    def __init__(self, samples: EmotionDataset, hop_s: float | None = None) -> None:
        self.windows = Windows(samples)
        self.targets = samples.targets
        self.rows = [
            (index, start)
            for index, duration_s in enumerate(samples.durations)
            for start in window_start_steps(duration_s, samples.spec, hop_s)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, keys: Sequence[int]) -> Batch:
        rows = [self.rows[key] for key in keys]
        made = [self.windows.window(*row) for row in rows]
        indices = np.array([index for index, _ in rows])
        return make_batch(made, self.targets[indices], indices)


def make_batch(windows: Sequence[Window], targets: Float, indices: NDArray[np.int64]) -> Batch:
    """Windows stacked to tensors."""
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True)]
    video, video_mask, audio, audio_mask = parts
    rest = torch.from_numpy(targets), torch.from_numpy(indices)
    return Batch(video, video_mask, audio, audio_mask, *rest)


def same(batch: Any) -> Any:
    """Collate function of datasets that make batches themselves."""
    return batch


def evaluation_loader(data: WindowDataset, batch: int = 64, workers: int = 0) -> DataLoader[Any]:
    """All windows in order."""
    return DataLoader(data, batch_size=batch, collate_fn=same, num_workers=workers)


def mean_by_sample(
    scores: NDArray[np.floating[Any]], sample: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean over the windows of each sample: ``(windows, k)``, ``(windows,)`` -> ``(n, k)``.

    Rows of samples without a window are NaN.
    """
    total = np.zeros((n, scores.shape[1]), np.float64)
    np.add.at(total, sample, scores.astype(np.float64))
    count = np.bincount(sample, minlength=n)[:, None]
    with np.errstate(invalid="ignore"):
        return total / count
