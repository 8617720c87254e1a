"""Predictions on samples: the table behind every report and comparison."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.compat import KEYS
from avtca.data.dataset import EmotionDataset
from avtca.errors import ConfigError
from avtca.files import write_atomic
from avtca.model.config import Output
from avtca.text import csv_cell, from_csv_cell

Float = NDArray[np.float64]
KINDS: dict[Output, str] = {"softmax": "true", "sigmoid": "any", "linear": "value"}
"""Output of a network -> prefix of the columns with targets."""


@dataclass(frozen=True)
class Predictions:
    """Predicted probabilities and targets, one row per sample.

    Attributes:
        labels: The ``k`` labels.
        samples: Names of the ``n`` samples.
        speakers: Speaker of each sample.
        targets: True shares of the labels ``(n, k)``, one-hot for a single label; true values of a
            regression.
        probs: Predicted probabilities ``(n, k)``, or values.
        output: What the network's output stands for.
    """

    labels: tuple[str, ...]
    samples: list[str]
    speakers: list[str]
    targets: Float
    probs: Float
    output: Output = "softmax"

    @classmethod
    def of(
        cls, samples: EmotionDataset, probs: Float, *, output: Output = "softmax"
    ) -> "Predictions":
        """Probabilities ``(n, k)`` for the samples of a data set, in their order."""
        return cls(
            samples.spec.labels,
            list(samples.sample_ids),
            list(samples.speakers),
            samples.targets.astype(np.float64),
            probs,
            output,
        )

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def binary(self) -> bool:
        """Whether a sample has several labels."""
        return self.output == "sigmoid"

    @property
    def true_labels(self) -> NDArray[np.int64]:
        """The true label of each sample, ``(n,)``: the one with the largest share."""
        return np.asarray(self.targets.argmax(1))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable label is the true one, ``(n,)``."""
        return np.asarray(self.probs.argmax(1) == self.true_labels)

    def ordered(self) -> "Predictions":
        """The same rows, sorted by sample."""
        return self.at(np.argsort(np.array(self.samples), kind="stable"))

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Predictions":
        """Some of the rows."""
        chosen = np.arange(len(self))[rows]
        return Predictions(
            self.labels,
            [self.samples[row] for row in chosen],
            [self.speakers[row] for row in chosen],
            self.targets[chosen],
            self.probs[chosen],
            self.output,
        )

    @classmethod
    def joined(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """The rows of several tables (folds, seeds); ``ConfigError`` where their labels differ."""
        first = parts[0]
        for part in parts[1:]:
            if (part.labels, part.output) != (first.labels, first.output):
                raise ConfigError(
                    "join predictions",
                    f"labels {', '.join(first.labels)} meet {', '.join(part.labels)}",
                    "join runs with the same labels",
                )
        return cls(
            first.labels,
            [sample for part in parts for sample in part.samples],
            [speaker for part in parts for speaker in part.speakers],
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.probs for part in parts]),
            first.output,
        )

    def save(
        self, path: Path, *, digits: int = 6, columns: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        """CSV: sample, speaker, further columns, ``true:<label>`` ..., ``p:<label>`` ...

        The prefix "true:" is "any:" for several labels a sample and "value:" for values.

        Args:
            path: The file; compressed where its name ends in ``.gz``.
            digits: Significant digits of the numbers.
            columns: Further columns, with a value for each sample; :meth:`load` skips them.
        """
        further = columns or {}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        kind = KINDS[self.output]
        head = [f"{kind}:{label}" for label in self.labels]
        scores = [f"p:{label}" for label in self.labels]
        writer.writerow(["sample_id", "speaker", *further, *head, *scores])
        told = zip(self.samples, self.speakers, *further.values(), strict=True)
        for cells, truth, probs in zip(told, self.targets, self.probs, strict=True):
            numbers = [f"{value:.{digits}g}" for value in (*truth, *probs)]
            writer.writerow([*map(csv_cell, cells), *numbers])
        data = text.getvalue().encode()
        write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Inverse of :meth:`save`. Raises :class:`ConfigError` for another kind of file."""
        action = f"read predictions {path}"
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            head, *rows = list(csv.reader(io.StringIO(text, newline="")))
            head[0] = KEYS.get(head[0], head[0])
            kinds = [name.partition(":")[0] for name in head]
            first = next((at for at, kind in enumerate(kinds) if kind in KINDS.values()), 0)
            k = (len(head) - first) // 2
            kind = kinds[first]
            labels = tuple(name.partition(":")[2] for name in head[first : first + k])
            wanted = [f"{kind}:{x}" for x in labels] + [f"p:{x}" for x in labels]
            known = head[:2] == ["sample_id", "speaker"] and head[first:] == wanted
            if first < 2 or not known or not rows:
                raise ValueError("its columns are not those of predictions")
            numbers = np.array([[float(cell) for cell in row[first:]] for row in rows])
            if numbers.shape[1] != 2 * k:
                raise ValueError("a row is too short")
        except (OSError, EOFError, zlib.error, ValueError, IndexError) as error:
            raise ConfigError(action, str(error), "give a run's folder or its test.csv") from error
        return cls(
            labels,
            [from_csv_cell(row[0]) for row in rows],
            [from_csv_cell(row[1]) for row in rows],
            numbers[:, :k],
            numbers[:, k:],
            next(output for output, name in KINDS.items() if name == kind),
        )


@dataclass(frozen=True)
class CalibratedFold:
    """Calibrated predictions of a fold.

    Attributes:
        temperature: Divisor of the logits, fitted on the samples of ``seen``.
        seen: Predictions to fit on, none of them on test speakers of the fold.
        test: Predictions on the test data.
    """

    temperature: float
    seen: Predictions
    test: Predictions
