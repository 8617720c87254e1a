"""The takes that a training or an evaluation draws its windows from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.clipfile import RawTake
from avtca.errors import CorpusError

Float = NDArray[np.float32]


class Raws(Protocol):
    """Takes by position: a list in memory, or something that reads them when asked."""

    def __getitem__(self, index: int, /) -> RawTake: ...


@dataclass(frozen=True)
class TakeSet:
    """Takes prepared with one :class:`ClipSpec`, in a fixed order.

    ``raws[i]`` is take ``i`` before windows are cut. ``targets`` float32 ``(n, n_labels)`` in the
    spec's order: shares that sum to one, or independent values 0..1. ``info``: columns of what
    else is known of each take (sex, intensity ...), each of length ``n``.
    """

    spec: ClipSpec
    names: Sequence[str]
    speakers: Sequence[str]
    durations: Sequence[float]
    """Seconds."""
    targets: Float
    raws: Raws
    info: dict[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, k = len(self.names), len(self.spec.labels)
        asked = "collect takes"
        if len(set(self.names)) != n:
            twice = next(name for name in self.names if list(self.names).count(name) > 1)
            raise CorpusError(asked, f"{twice} is there twice", "name each take once")
        if self.targets.shape != (n, k):
            raise CorpusError(
                asked,
                f"targets of shape {self.targets.shape} for {n} takes and {k} labels",
                "make the targets in the order of the ClipSpec's labels",
            )
        columns = {"speakers": self.speakers, "durations": self.durations, **self.info}
        for name, column in columns.items():
            if len(column) != n:
                raise CorpusError(asked, f"{len(column)} {name} for {n} takes", "give one each")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of each take's strongest label, ``(n,)``."""
        return self.targets.argmax(1)

    def at(self, rows: Iterable[int]) -> "TakeSet":
        """The takes at these positions, in the order given."""
        chosen = [int(row) for row in rows]
        return TakeSet(
            self.spec,
            [self.names[row] for row in chosen],
            [self.speakers[row] for row in chosen],
            [self.durations[row] for row in chosen],
            self.targets[chosen],
            _Chosen(self.raws, chosen),
            {name: [column[row] for row in chosen] for name, column in self.info.items()},
        )

    def named(self, names: Iterable[str]) -> "TakeSet":
        """The named takes, in this set's order. Raises ``CorpusError`` for names not here."""
        wanted = set(names)
        if missing := sorted(wanted - set(self.names)):
            raise CorpusError(
                "choose takes",
                f"{len(missing)} are not in the corpus, the first is {missing[0]}",
                "prepare the whole corpus, or use folds that were made for it",
            )
        return self.at(row for row, name in enumerate(self.names) if name in wanted)

    def of(self, speakers: Iterable[str]) -> "TakeSet":
        """The takes of these speakers."""
        wanted = set(speakers)
        return self.at(row for row, speaker in enumerate(self.speakers) if speaker in wanted)


@dataclass(frozen=True)
class _Chosen:
    raws: Raws
    rows: list[int]

    def __getitem__(self, index: int, /) -> RawTake:
        return self.raws[self.rows[index]]


def one_hot(labels: Sequence[str], order: Sequence[str]) -> Float:
    """Targets ``(n, n_labels)`` of label names. Raises ``CorpusError`` for an unknown label."""
    place = {name: at for at, name in enumerate(order)}
    if unknown := sorted(set(labels) - set(place)):
        raise CorpusError(
            "make targets",
            f"label {unknown[0]!r} is not among {', '.join(order)}",
            "map the labels first, or drop those takes",
        )
    return np.eye(len(order), dtype=np.float32)[[place[label] for label in labels]]
