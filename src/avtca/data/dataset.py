"""The samples that a training or an evaluation draws its windows from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.sample_file import RawSample
from avtca.errors import CorpusError
from avtca.labels import to_seven

Float = NDArray[np.float32]
Key = tuple[str, str, int, float]
"""Of a window: modality, sample, first step and speed."""

METADATA = ("sex", "age", "intensity", "channel", "ethnicity", "race", "language", "statement")
"""Columns of a manifest that a report may group by."""
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


@dataclass(frozen=True)
class SpeakerStatistics:
    """Mean and standard deviation of one speaker's features: audio ``(f, 1)``, video ``(f,)``."""

    audio: tuple[Float, Float]
    video: tuple[Float, Float]


@dataclass(frozen=True)
class EmotionDataset:
    """Samples prepared with one :class:`ClipSpec`, in a fixed order.

    Attributes:
        spec: How the samples were prepared; its labels are the columns of ``targets``.
        sample_ids: Unique name of each sample.
        speakers: Speaker of each sample.
        durations: Length of each sample in seconds.
        targets: float32 ``(n, n_labels)``: shares that sum to one, or independent values 0..1.
        samples: Each sample before windows are cut, in memory or read on access.
        metadata: Further columns of length ``n`` (sex, intensity ...).
        normalisation: Statistics of each speaker's features, see
            :func:`~avtca.data.windows.speaker_normalise`.
    """

    spec: ClipSpec
    sample_ids: Sequence[str]
    speakers: Sequence[str]
    durations: Sequence[float]
    targets: Float
    samples: Sequence[RawSample]
    metadata: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    normalisation: Mapping[str, SpeakerStatistics] | None = None
    cache: dict[Key, tuple[Any, Any]] = field(default_factory=dict, init=False, repr=False)
    """Windows already made; subsets share it, ``dataclasses.replace`` starts a new one."""

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
    spec: ClipSpec | None = None,
    memory: bool | None = None,
) -> EmotionDataset:
    """The samples of a prepared corpus, as a network with ``labels`` is to name them.

    ``labels`` (default: the corpus's own) may be fewer: a corpus label that is not among them
    goes to its nearest of the seven (calm to neutral) or its samples are left out. ``target`` is a
    name for :meth:`PreparedCorpus.targets`. ``spec`` is the ClipSpec that the network wants,
    labels aside; it must be the corpus's. ``memory``: read every sample now (default: where the
    video steps are features). Raises :class:`ClipSpecMismatch`, :class:`CorpusError`.
    """
    labels = tuple(labels)
    if spec is not None:
        corpus.spec.require(spec, action=f"use {corpus.path}", ignore=("labels",))
    names_of_targets = corpus.target_names(target)
    labels = labels or names_of_targets
    found = corpus.targets(target)
    rated = np.isfinite(found).all(1)
    targets, keep = mapped_targets(np.nan_to_num(found), names_of_targets, labels)
    keep &= rated
    if target in corpus.meta["targets"] and target not in VOTE_SHARES:
        targets = targets.clip(0, 1)
    else:
        keep &= targets.sum(1) > 0
        targets = targets / np.maximum(targets.sum(1, keepdims=True), 1e-9)
    if not keep.any():
        raise CorpusError(
            f"use {corpus.path} for {', '.join(labels)}",
            f"no sample has one of these labels; it has {', '.join(names_of_targets)}",
            "choose labels of the corpus",
        )
    rows = np.flatnonzero(keep)
    manifest = corpus.manifest.iloc[rows]
    names = [str(name) for name in manifest["sample_id"]]
    memory = corpus.spec.video == "features" if memory is None else memory
    samples: Sequence[RawSample] = LazySamples(corpus.raw, names)
    samples = list(samples) if memory else samples
    metadata = {name: manifest[name].tolist() for name in METADATA if name in manifest}
    return EmotionDataset(
        replace(corpus.spec, labels=labels),
        names,
        [str(speaker) for speaker in manifest["speaker"]],
        [float(seconds) for seconds in manifest["duration_s"]],
        targets[rows].astype(np.float32),
        samples,
        metadata,
    )


def mapped_targets(
    targets: Float, source: Sequence[str], labels: Sequence[str]
) -> tuple[Float, NDArray[np.bool_]]:
    """Columns of ``targets (n, k)`` brought to ``labels``, summed where several meet.

    The second value is False for samples of which something was lost.
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


def one_hot(labels: Sequence[str], order: Sequence[str]) -> Float:
    """Targets ``(n, n_labels)`` of label names. Raises ``CorpusError`` for an unknown label."""
    place = {name: at for at, name in enumerate(order)}
    if unknown := sorted(set(labels) - set(place)):
        raise CorpusError(
            "make targets",
            f"label {unknown[0]!r} is not among {', '.join(order)}",
            "map the labels first, or drop those samples",
        )
    return np.eye(len(order), dtype=np.float32)[[place[label] for label in labels]]
