"""Windows of takes as batches, made through :mod:`avtca.preprocess`.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` sound frames, ``f`` features.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from avtca.clipspec import PITCH_ROWS, ClipSpec
from avtca.corpora.sample_file import RawTake
from avtca.data.dataset import Key, Standard, TakeSet, with_standard
from avtca.data.speed import vary_speed
from avtca.model.audio_statistics import loud_and_voiced
from avtca.model.frontends import SURELY_NOT
from avtca.preprocess import (
    Window,
    sound_series_window,
    sound_window,
    visual_window,
    window_start_steps,
)

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
POSTERIORS, N_POSTERIORS = "expression7", 7
"""Visual features that begin with probabilities of seven expressions, and how many they are."""
KEPT_BYTES = 4e9
"""Memory that windows may fill, about."""


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
    """Windows of a set of takes; sound and visual features stay in memory once made.

    Face crops are never kept.
    """

    def __init__(self, takes: TakeSet) -> None:
        self.takes, self.spec, self._kept = takes, takes.spec, takes.kept
        self._varied: tuple[tuple[int, float], RawTake] | None = None

    def _keep(self, key: Key, made: tuple[Float, Bool]) -> None:
        if len(self._kept) * made[0].nbytes < KEPT_BYTES:
            self._kept[key] = made

    def wave(self, raw: RawTake, start_step: int) -> Float:
        """The window's samples, shorter where the file ends first."""
        start = round(start_step / self.spec.video_rate * self.spec.sample_rate)
        return raw.wave[start : start + self.spec.window_samples]

    def raw(self, index: int, speed: float = 1.0) -> RawTake:
        """The take, played ``speed`` times as fast; the last one is kept for its other modality."""
        if speed == 1:
            return self.takes.raws[index]
        if self._varied is None or self._varied[0] != (index, speed):
            varied = vary_speed(self.takes.raws[index], speed, self.spec)
            self._varied = (index, speed), varied
        return self._varied[1]

    def visual(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Video steps of one window and their mask."""
        key = "visual", self.takes.names[index], start_step, speed
        if key in self._kept:
            return self._kept[key]
        out = self.visual_of(self.raw(index, speed), start_step, self.takes.speakers[index])
        if self.spec.visual == "features":
            self._keep(key, out)
        return out

    def sound(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Sound features of one window and their mask."""
        key = "sound", self.takes.names[index], start_step, speed
        if key in self._kept:
            return self._kept[key]
        out = self.sound_of(self.raw(index, speed), start_step, self.takes.speakers[index])
        self._keep(key, out)
        return out

    def visual_of(self, raw: RawTake, start_step: int, speaker: str) -> tuple[Float, Bool]:
        """Video steps of a take that may differ from the set's."""
        values, mask = visual_window(raw.steps, raw.visual, start_step, self.spec)
        if self.takes.standard is not None and self.spec.visual == "features":
            mean, deviation = self.takes.standard[speaker].visual
            centred = (spread_evenly(values, self.spec) - mean) / deviation
            values = np.where(mask[:, None], centred, np.float32(0))
        return values, mask

    def sound_of(self, raw: RawTake, start_step: int, speaker: str) -> tuple[Float, Bool]:
        """Sound features of a take that may differ from the set's."""
        if raw.sound is not None and raw.sound_times is not None:
            start_s = start_step / self.spec.video_rate
            values, mask = sound_series_window(raw.sound_times, raw.sound, start_s, self.spec)
        else:
            values, mask = sound_window(self.wave(raw, start_step), self.spec)
        if self.takes.standard is not None:
            mean, deviation = self.takes.standard[speaker].sound
            values = np.where(mask, (values - mean) / deviation, np.float32(0))
        return values, mask

    def window(self, index: int, start_step: int) -> Window:
        """Both modalities."""
        return self.visual(index, start_step) + self.sound(index, start_step)


def standardised(takes: TakeSet) -> TakeSet:
    """Each speaker's features brought to zero mean and unit deviation over their own takes.

    All takes of the speaker count, their labels do not: this is a protocol of its own, for
    settings in which unlabelled takes of the person exist beforehand. Posteriors of expressions
    count by their logarithms (:func:`spread_evenly`); pitch by its voiced frames, since it is
    noise in all others.
    """
    plain = Windows(takes)
    sums: dict[str, list[NDArray[np.float64]]] = {}
    for index, speaker in enumerate(takes.speakers):
        for start in window_start_steps(takes.durations[index], takes.spec, takes.spec.window_s):
            visual, seen = plain.visual(index, start)
            sound, heard = plain.sound(index, start)
            columns = sound[:, heard].astype(np.float64)
            rows = np.zeros((1, 1))  # face crops are not standardised
            if takes.spec.visual == "features":
                rows = spread_evenly(visual[seen], takes.spec).astype(np.float64).T
            real = np.ones(columns.shape, bool)
            if takes.spec.pitch:
                real[-PITCH_ROWS] = _voiced(columns)
            parts = [_moments(columns, real), _moments(rows)]
            if speaker in sums:
                sums[speaker] = [a + b for a, b in zip(sums[speaker], parts, strict=True)]
            else:
                sums[speaker] = parts
    standard = {}
    for speaker, (sound_sums, visual_sums) in sums.items():
        mean, deviation = _mean_deviation(visual_sums)
        a_mean, a_deviation = _mean_deviation(sound_sums)
        standard[speaker] = Standard((a_mean[:, None], a_deviation[:, None]), (mean, deviation))
    return with_standard(takes, standard)


def spread_evenly(visual: Float, spec: ClipSpec) -> Float:
    """Visual features ``(t_v, ...)`` with posteriors of expressions as logarithms.

    Most posteriors are near 0 or 1, where a mean and a deviation say little of them.
    """
    if not spec.visual_features.startswith(POSTERIORS):
        return visual
    out = visual.copy()
    out[:, :N_POSTERIORS] = np.log(np.maximum(visual[:, :N_POSTERIORS], SURELY_NOT))
    return out


def _voiced(columns: NDArray[np.float64]) -> Bool:
    """Frames of ``(f, n)`` whose pitch is one, as the network's ``VoiceExpert`` tells them."""
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
        return make_batch(made, self.targets[indices], indices)


def make_batch(windows: Sequence[Window], targets: Float, indices: NDArray[np.int64]) -> Batch:
    """Windows stacked to tensors."""
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True)]
    visual, visual_mask, sound, sound_mask = parts
    rest = torch.from_numpy(targets), torch.from_numpy(indices)
    return Batch(visual, visual_mask, sound, sound_mask, *rest)


def same(batch: Any) -> Any:
    """Collate function of datasets that make batches themselves."""
    return batch


def evaluation_loader(data: EvaluationData, batch: int = 64, workers: int = 0) -> DataLoader[Any]:
    """All windows in order."""
    return DataLoader(data, batch_size=batch, collate_fn=same, num_workers=workers)


def mean_by_take(
    scores: NDArray[np.floating[Any]], take: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean over the windows of each take: ``(windows, k)``, ``(windows,)`` -> ``(n, k)``.

    Rows of takes without a window are NaN.
    """
    total = np.zeros((n, scores.shape[1]), np.float64)
    np.add.at(total, take, scores.astype(np.float64))
    count = np.bincount(take, minlength=n)[:, None]
    with np.errstate(invalid="ignore"):
        return total / count
