"""The data set of training and evaluation: samples, their targets and their windows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache import PreparedCorpus
from avtca.data.normalise import SpeakerStatistics, speaker_normalise
from avtca.data.speed import vary_speed
from avtca.errors import ConfigError, CorpusError
from avtca.labels import SENTIMENT, to_seven
from avtca.preprocess import ModelInput, RawSample, Window, WindowExtractor, stack

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

CACHE_BYTES = 4e9
"""Approximate memory that cached windows may fill."""
METADATA = (
    *("sex", "age", "intensity", "channel", "ethnicity", "race", "language", "statement"),
    *("path", "source", "start_s", "end_s", "audio_hash", "voice_coverage", "face_coverage"),
)
"""Columns of a manifest that reports use."""
VOTE_SHARES = ("voice", "face", "both")
"""Targets that are votes: shares of one label."""


class LazySamples(Sequence[RawSample]):
    """Samples that are read on access: item ``i`` is ``read(keys[i])``."""

    def __init__(self, read: Callable[[Any], RawSample], keys: Iterable[Any]) -> None:
        self.read, self.keys = read, list(keys)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return LazySamples(self.read, self.keys[index])
        return self.read(self.keys[index])


class WindowCache:
    """Windows of features already made, and the last sample that was played at another speed.

    Face crops are never kept: they would fill the memory.

    Args:
        parent: A cache that has the same windows of one modality.
        shared: This modality, "audio" or "video".
    """

    def __init__(self, parent: "WindowCache | None" = None, shared: str = "") -> None:
        self.parent, self.shared = parent, shared
        self._windows: dict[tuple[str, str, int, float], tuple[Float, Bool]] = {}
        self._varied: tuple[tuple[str, float], RawSample] | None = None

    def __len__(self) -> int:
        return len(self._windows)

    def window(
        self,
        key: tuple[str, str, int, float],
        make: Callable[[], tuple[Float, Bool]],
        *,
        keep: bool,
    ) -> tuple[Float, Bool]:
        """The window of a modality, sample, first step and speed, made where it is not kept."""
        if self.parent is not None and key[0] == self.shared:
            return self.parent.window(key, make, keep=keep)
        if key not in self._windows:
            made = make()
            if not keep or len(self._windows) * made[0].nbytes >= CACHE_BYTES:
                return made
            self._windows[key] = made
        return self._windows[key]

    def varied(self, key: tuple[str, float], make: Callable[[], RawSample]) -> RawSample:
        """A sample at a speed; the last one is kept for its other modality."""
        if self._varied is None or self._varied[0] != key:
            self._varied = key, make()
        return self._varied[1]


@dataclass(frozen=True)
class EmotionDataset:
    """Samples prepared with one :class:`ClipSpec`, in a fixed order.

    ``dataset[i]`` are all windows of sample ``i``. Subsets share the windows already made;
    ``dataclasses.replace`` starts without any.

    Attributes:
        spec: How the samples were prepared; its labels are the columns of ``targets``.
        sample_ids: Unique name of each sample.
        speakers: Speaker of each sample.
        durations: Length of each sample in seconds.
        targets: float32 ``(n, n_labels)``: shares that sum to one, independent values 0..1, or a
            sentiment of -3..3.
        samples: Each sample before windows are cut, in memory or read on access.
        metadata: Further columns of length ``n`` (sex, intensity ...).
        normalisation: Statistics of each speaker's features, see
            :func:`~avtca.data.normalise.speaker_normalise`.
    """

    spec: ClipSpec
    sample_ids: Sequence[str]
    speakers: Sequence[str]
    durations: Sequence[float]
    targets: Float
    samples: Sequence[RawSample]
    metadata: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    normalisation: Mapping[str, SpeakerStatistics] | None = None
    cache: WindowCache = field(default_factory=WindowCache, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        n, k = len(self.sample_ids), len(self.spec.labels)
        action = "collect samples"
        if len(set(self.sample_ids)) != n:
            twice = next(name for name in self.sample_ids if list(self.sample_ids).count(name) > 1)
            raise CorpusError(action, f"{twice} is there twice", "name each sample once")
        if self.targets.shape != (n, k):
            raise CorpusError(
                action,
                f"targets of shape {self.targets.shape} for {n} samples and {k} labels",
                "make the targets in the order of the ClipSpec's labels",
            )
        columns = {"speakers": self.speakers, "durations": self.durations, **self.metadata}
        for name, column in columns.items():
            if len(column) != n:
                raise CorpusError(action, f"{len(column)} {name} for {n} samples", "give one each")

    def __len__(self) -> int:
        return len(self.sample_ids)

    def __getitem__(self, index: int) -> ModelInput:
        return stack([self.window(index, start) for start in self.starts(index)])

    @property
    def extractor(self) -> WindowExtractor:
        """Cuts samples into windows of the spec, without normalisation."""
        return WindowExtractor(self.spec)

    def starts(self, index: int, hop_s: float | None = None) -> list[int]:
        """First video step of each window of a sample."""
        return self.extractor.starts(self.durations[index], hop_s)

    def window(self, index: int, start_step: int) -> Window:
        """One window of a sample."""
        return self.video(index, start_step) + self.audio(index, start_step)

    def video(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Video of one window and its mask; the sample is played ``speed`` times as fast."""
        return self.cache.window(
            ("video", self.sample_ids[index], start_step, speed),
            lambda: self.cut_video(index, self.at_speed(index, speed), start_step),
            keep=self.spec.video == "features",
        )

    def audio(self, index: int, start_step: int, speed: float = 1.0) -> tuple[Float, Bool]:
        """Audio of one window and its mask; the sample is played ``speed`` times as fast."""
        return self.cache.window(
            ("audio", self.sample_ids[index], start_step, speed),
            lambda: self.cut_audio(index, self.at_speed(index, speed), start_step),
            keep=True,
        )

    def at_speed(self, index: int, speed: float) -> RawSample:
        """A sample played ``speed`` times as fast."""
        if speed == 1:
            return self.samples[index]
        key = self.sample_ids[index], speed
        return self.cache.varied(key, lambda: vary_speed(self.samples[index], speed, self.spec))

    def cut_video(self, index: int, sample: RawSample, start_step: int) -> tuple[Float, Bool]:
        """Video of one window of a variant of sample ``index``."""
        values, mask = self.extractor.video(sample, start_step)
        if self.normalisation is not None:
            statistics = self.normalisation[self.speakers[index]]
            values = statistics.normalise_video(values, mask, self.spec)
        return values, mask

    def cut_audio(self, index: int, sample: RawSample, start_step: int) -> tuple[Float, Bool]:
        """Audio of one window of a variant of sample ``index``."""
        values, mask = self.extractor.audio(sample, start_step)
        if self.normalisation is not None:
            values = self.normalisation[self.speakers[index]].normalise_audio(values, mask)
        return values, mask

    @property
    def modalities(self) -> Bool:
        """Whether each sample has audio that is not silent, and a face in view, ``(n, 2)``.

        True where the manifest does not tell.
        """
        out = np.ones((len(self), 2), bool)
        if "voice_coverage" in self.metadata:
            hashes = self.metadata.get("audio_hash", [""] * len(self))
            heard = np.asarray(self.metadata["voice_coverage"], np.float64) > 0
            out[:, 0] = heard | np.array([bool(x) for x in hashes], bool)
        if "face_coverage" in self.metadata:
            out[:, 1] = np.asarray(self.metadata["face_coverage"], np.float64) > 0
        return out

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of each sample's strongest label, ``(n,)``."""
        return np.asarray(self.targets.argmax(1))

    def subset(self, rows: Iterable[int]) -> "EmotionDataset":
        """The samples at these positions, in the order given."""
        chosen = [int(row) for row in rows]
        out = replace(
            self,
            sample_ids=[self.sample_ids[row] for row in chosen],
            speakers=[self.speakers[row] for row in chosen],
            durations=[self.durations[row] for row in chosen],
            targets=self.targets[chosen],
            samples=LazySamples(self.samples.__getitem__, chosen),
            metadata={k: [column[row] for row in chosen] for k, column in self.metadata.items()},
        )
        object.__setattr__(out, "cache", self.cache)
        return out

    def of_samples(self, sample_ids: Iterable[str]) -> "EmotionDataset":
        """The named samples, in the order of this data set.

        Raises:
            CorpusError: If a sample is not in the data set.
        """
        wanted = set(sample_ids)
        if missing := sorted(wanted - set(self.sample_ids)):
            raise CorpusError(
                "choose samples",
                f"{len(missing)} are not in the corpus, the first is {missing[0]}",
                "prepare the whole corpus, or use folds that were made for it",
            )
        return self.subset(row for row, name in enumerate(self.sample_ids) if name in wanted)

    def of_speakers(self, speakers: Iterable[str]) -> "EmotionDataset":
        """The samples of these speakers."""
        wanted = set(speakers)
        return self.subset(row for row, speaker in enumerate(self.speakers) if speaker in wanted)


def from_corpus(
    corpus: PreparedCorpus,
    labels: Sequence[str] = (),
    *,
    target: str = "label",
    where: Mapping[str, str] | None = None,
    normalise: str = "none",
    memory: bool | None = None,
) -> EmotionDataset:
    """The samples of a prepared corpus with the targets of a network.

    Args:
        corpus: The prepared corpus.
        labels: Labels of the network, the corpus's own by default. A corpus label that is not
            among them becomes its nearest of the seven (calm: neutral), or its samples are left
            out.
        target: Name for :meth:`PreparedCorpus.targets`.
        where: Keeps the samples whose manifest columns have these values.
        normalise: "none" or "speaker", see :func:`~avtca.data.normalise.speaker_normalise`.
        memory: Whether all samples are read now; by default where the video is features.

    Raises:
        ConfigError: If ``where`` names no column of the manifest, or the target has no loss.
        CorpusError: If no sample is left.
    """
    if target == "value" and target in corpus.meta["targets"]:
        raise ConfigError(
            "use the target 'value'",
            "no loss is made for the intensities of several emotions",
            "choose multi (which emotions are present) or sentiment",
        )
    source = corpus.target_names(target)
    labels = tuple(labels) or source
    found = corpus.targets(target)
    rated = np.isfinite(found).all(1)
    targets, keep = mapped_targets(np.nan_to_num(found), source, labels)
    keep &= rated
    if target in corpus.meta["targets"] and target not in VOTE_SHARES:
        targets = targets if target == SENTIMENT else targets.clip(0, 1)
    else:
        keep &= targets.sum(1) > 0
        targets = targets / np.maximum(targets.sum(1, keepdims=True), 1e-9)
    if not keep.any():
        raise CorpusError(
            f"use {corpus.path} for {', '.join(labels)}",
            f"no sample has one of these labels; it has {', '.join(source)}",
            "choose labels of the corpus",
        )
    for column, value in (where or {}).items():
        action = f"choose samples with {column}={value}"
        if column not in corpus.manifest or column == "sample_id":
            raise ConfigError(action, "the manifest has no such column", "leave it out")
        keep &= (corpus.manifest[column].astype(str) == value).to_numpy()
        if not keep.any():
            raise CorpusError(action, "no sample has it", "choose a value that occurs")
    rows = np.flatnonzero(keep)
    manifest = corpus.manifest.iloc[rows]
    sample_ids = [str(name) for name in manifest["sample_id"]]
    samples = LazySamples(corpus.raw, sample_ids)
    in_memory = corpus.spec.video == "features" if memory is None else memory
    dataset = EmotionDataset(
        replace(corpus.spec, labels=labels),
        sample_ids,
        [str(speaker) for speaker in manifest["speaker"]],
        [float(seconds) for seconds in manifest["duration_s"]],
        targets[rows].astype(np.float32),
        list(samples) if in_memory else samples,
        {name: manifest[name].tolist() for name in METADATA if name in manifest},
    )
    return speaker_normalise(dataset) if normalise == "speaker" else dataset


def mapped_targets(
    targets: Float, source: Sequence[str], labels: Sequence[str]
) -> tuple[Float, NDArray[np.bool_]]:
    """Map targets to other labels; labels without a counterpart become their nearest of the seven.

    Args:
        targets: ``(n, k)``, a column for each source label.
        source: The source labels.
        labels: The labels to map to.

    Returns:
        Targets ``(n, n_labels)``, summed where several labels become one, and ``(n,)``: whether
        all of a sample's targets found a label.
    """
    out = np.zeros((len(targets), len(labels)), np.float32)
    whole = np.ones(len(targets), bool)
    place = {name: at for at, name in enumerate(labels)}
    for column, name in enumerate(source):
        to = name if name in place else to_seven(name)
        if to in place:
            out[:, place[to]] += targets[:, column]
        else:
            whole &= targets[:, column] == 0
    return out, whole
