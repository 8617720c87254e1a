"""Speaker normalisation: features at zero mean and unit deviation over a speaker's own samples."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import MIN_PROB, N_POSTERIORS, PITCH_ROWS, POSTERIORS, ClipSpec

if TYPE_CHECKING:
    from avtca.data.dataset import EmotionDataset

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class SpeakerStatistics:
    """Mean and standard deviation of one speaker's features: audio ``(f, 1)``, video ``(f,)``."""

    audio: tuple[Float, Float]
    video: tuple[Float, Float]

    def normalise_audio(self, values: Float, mask: Bool) -> Float:
        """Audio features ``(f, t_a)``, zero where masked."""
        mean, deviation = self.audio
        return np.where(mask, (values - mean) / deviation, np.float32(0))

    def normalise_video(self, values: Float, mask: Bool, spec: ClipSpec) -> Float:
        """Video features ``(t_v, f)``, zero where masked. Face crops are returned unchanged."""
        if spec.video != "features":
            return values
        mean, deviation = self.video
        centred = (log_posteriors(values, spec) - mean) / deviation
        return np.where(mask[:, None], centred, np.float32(0))


def speaker_normalise(dataset: "EmotionDataset") -> "EmotionDataset":
    """A data set whose features are normalised over each speaker's own samples.

    All samples of a speaker count, their labels do not. This is an evaluation protocol of its
    own, for settings in which unlabelled samples of the speaker exist beforehand.
    """
    return replace(dataset, normalisation=speaker_statistics(dataset))


def speaker_statistics(dataset: "EmotionDataset") -> Mapping[str, SpeakerStatistics]:
    """Mean and standard deviation of each speaker's features.

    Posteriors of expressions count by their logarithms (:func:`log_posteriors`). Pitch counts in
    voiced frames alone, since it is noise in all others.
    """
    spec = dataset.spec
    sums: dict[str, list[NDArray[np.float64]]] = {}
    for index, speaker in enumerate(dataset.speakers):
        for start in dataset.starts(index, spec.window_s):
            video, video_mask, audio, audio_mask = dataset.window(index, start)
            frames = audio[:, audio_mask].astype(np.float64)
            counted = np.ones(frames.shape, bool)
            if spec.pitch:
                counted[-PITCH_ROWS] = _voiced(frames)
            steps = np.zeros((1, 1))  # of face crops nothing is normalised
            if spec.video == "features":
                steps = log_posteriors(video[video_mask], spec).astype(np.float64).T
            parts = [_moments(frames, counted), _moments(steps)]
            if speaker in sums:
                parts = [a + b for a, b in zip(sums[speaker], parts, strict=True)]
            sums[speaker] = parts
    statistics = {}
    for speaker, (audio_sums, video_sums) in sums.items():
        mean, deviation = _mean_deviation(audio_sums)
        audio_statistics = mean[:, None], deviation[:, None]
        statistics[speaker] = SpeakerStatistics(audio_statistics, _mean_deviation(video_sums))
    return statistics


def log_posteriors(video: Float, spec: ClipSpec) -> Float:
    """Video features ``(t_v, f)`` with posteriors of expressions as logarithms.

    Most posteriors are near 0 or 1, where mean and deviation describe them badly.
    """
    if not spec.video_features.startswith(POSTERIORS):
        return video
    out = video.copy()
    out[:, :N_POSTERIORS] = np.log(np.maximum(video[:, :N_POSTERIORS], MIN_PROB))
    return out


def _voiced(frames: NDArray[np.float64]) -> Bool:
    """Voiced frames of ``(f, n)``, by the rule of the network's ``AudioStatisticsHead``."""
    import torch

    from avtca.voicing import loud_and_voiced

    energy = torch.from_numpy(frames[:-PITCH_ROWS]).mean(dim=0)
    voicing = torch.from_numpy(frames[-1:])
    _, voiced = loud_and_voiced(energy[None], voicing, torch.ones_like(voicing, dtype=torch.bool))
    return np.asarray(voiced[0])


def _moments(values: NDArray[np.float64], counted: Bool | None = None) -> NDArray[np.float64]:
    """Count, sum and sum of squares of the counted values of each row of ``(f, n)``: ``(3, f)``."""
    counted = np.ones(values.shape, bool) if counted is None else counted
    kept = np.where(counted, values, 0)
    return np.stack([counted.sum(1), kept.sum(1), np.square(kept).sum(1)])


def _mean_deviation(sums: NDArray[np.float64]) -> tuple[Float, Float]:
    count = np.maximum(sums[0], 1)
    mean = sums[1] / count
    deviation = np.sqrt(np.maximum(sums[2] / count - mean**2, 1e-6))
    return mean.astype(np.float32), deviation.astype(np.float32)
