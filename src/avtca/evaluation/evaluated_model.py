"""A model together with the data that it is tested on and calibrated with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.index import SampleSource
from avtca.data.dataset import EmotionDataset
from avtca.evaluation.calibration import TEMPERATURES, fit_temperature
from avtca.evaluation.inference import Network, WindowLogits, average_networks, window_logits
from avtca.evaluation.predictions import CalibratedFold, Predictions
from avtca.evaluation.report import CalibrationSource, SplitInfo
from avtca.model import Card
from avtca.model.config import Output

Float = NDArray[np.float64]
Transform = Callable[[EmotionDataset], EmotionDataset]
LogitsOfData = Sequence[tuple[WindowLogits, EmotionDataset]]
"""Window logits, and the data set that they belong to."""


@dataclass(frozen=True)
class FoldModel:
    """One network, or several whose probabilities are averaged, and its test data.

    Attributes:
        networks: The networks.
        test: Samples of the test speakers.
        validation: Samples of other speakers that the networks have not seen, or ``None``.
        no_validation: Why there are none.
        training_speakers: Speakers with a part in the networks' weights, of use to other folds.
    """

    networks: tuple[Network, ...]
    test: EmotionDataset
    validation: EmotionDataset | None
    no_validation: str = ""
    training_speakers: frozenset[str] = frozenset()
    memo: dict[int, WindowLogits] = field(default_factory=dict, init=False, repr=False)

    def logits(self, dataset: EmotionDataset, output: Output) -> WindowLogits:
        """Logits on a data set; on ``test`` and ``validation`` they are computed once."""
        if id(dataset) in self.memo:
            return self.memo[id(dataset)]
        found = average_networks(
            [window_logits(network, dataset, output=output) for network in self.networks]
        )
        if dataset is self.test or dataset is self.validation:
            self.memo[id(dataset)] = found
        return found


@dataclass(frozen=True)
class EvaluatedModel:
    """A model as it is evaluated: a single network, an ensemble, or all folds' networks.

    Attributes:
        name: Name in reports.
        folds: The networks of each fold with their test data; one entry for a single network.
        card: Card of the first network.
        split: The test data and the caveats of the split.
        output: What the output of the networks stands for.
        votes: What raters were given -> numbers of votes ``(n, k)`` on every test sample, with one
            more column for votes for other labels; NaN where a sample was not rated.
        intended: The corpus's own label of every test sample, one-hot ``(n, k)``; zeros where there
            is none.
        sources: Media files of the test samples, by sample, where they were given as such.
        failures: One line for each clip, or file of labels, that could not be used.
        temperatures: Bounds of the temperatures that are fitted.
    """

    name: str
    folds: tuple[FoldModel, ...]
    card: Card
    split: SplitInfo
    output: Output = "softmax"
    votes: dict[str, Float] = field(default_factory=dict)
    intended: Float | None = None
    sources: Mapping[str, SampleSource] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    temperatures: tuple[float, float] = TEMPERATURES

    @property
    def spec(self) -> ClipSpec:
        """The ClipSpec of the test data."""
        return self.folds[0].test.spec

    @property
    def test(self) -> list[EmotionDataset]:
        """The test data of each fold."""
        return [fold.test for fold in self.folds]

    @property
    def fitted_on(self) -> CalibrationSource | None:
        """The data that temperatures, sets and thresholds are fitted on.

        Either each fold's validation speakers or, where a fold has none, the test speakers of the
        other folds as predicted by those folds' networks; ``None`` where there are neither.
        """
        if all(fold.validation is not None for fold in self.folds):
            return "validation speakers"
        unseen = [
            any(len(_unseen_rows(fold, other)) for other in self.folds if other is not fold)
            for fold in self.folds
        ]
        return "other folds" if all(unseen) else None

    @property
    def not_fitted(self) -> str:
        """Why nothing can be fitted; empty where it can."""
        if self.fitted_on:
            return ""
        first = next(fold for fold in self.folds if fold.validation is None)
        if len(self.folds) > 1:
            return f"{first.no_validation}, and so were the test speakers of the other folds"
        return first.no_validation

    def predict(
        self, transform: Transform | None = None, temperatures: Sequence[float] | None = None
    ) -> Predictions:
        """Predictions of all folds on their test data.

        Args:
            transform: Applied to the test data first.
            temperatures: Temperature of each fold, by default 1.
        """
        parts = []
        for fold, scale in zip(self.folds, temperatures or [1.0] * len(self.folds), strict=True):
            dataset = fold.test if transform is None else transform(fold.test)
            logits = fold.logits(dataset, self.output)
            parts.append(self._predictions([(logits, dataset)], scale))
        return Predictions.joined(parts)

    def calibrated(self) -> list[CalibratedFold]:
        """Predictions of each fold with a temperature of its own, fitted on :attr:`fitted_on`.

        Outputs other than one label a sample have none (1).
        """
        out = []
        for fold in self.folds:
            fit_on = self._calibration_data(fold)
            softmax = self.output == "softmax"
            temperature = fit_window_temperature(fit_on) if softmax else 1.0
            temperature = float(np.clip(temperature, *self.temperatures))
            seen = self._predictions(fit_on, temperature)
            test = self._predictions(
                [(fold.logits(fold.test, self.output), fold.test)], temperature
            )
            out.append(CalibratedFold(temperature, seen, test))
        return out

    def _predictions(self, data: LogitsOfData, temperature: float = 1.0) -> Predictions:
        return Predictions.joined(
            [
                Predictions.of(dataset, found.probabilities(temperature), output=self.output)
                for found, dataset in data
            ]
        )

    def _calibration_data(self, fold: FoldModel) -> LogitsOfData:
        """What a fold is fitted on, none of it from its test speakers."""
        if self.fitted_on == "validation speakers" and fold.validation is not None:
            return [(fold.logits(fold.validation, self.output), fold.validation)]
        out = []
        for other in self.folds:
            if other.test is not fold.test and len(rows := _unseen_rows(fold, other)):
                logits = other.logits(other.test, self.output).at(rows)
                out.append((logits, other.test.subset(rows)))
        return out


def _unseen_rows(fold: FoldModel, other: FoldModel) -> NDArray[np.int64]:
    """Rows of another fold's test data whose speakers neither saw training there nor test here."""
    known = set(fold.test.speakers) | other.training_speakers
    return np.array(
        [row for row, speaker in enumerate(other.test.speakers) if speaker not in known], np.int64
    )


def fit_window_temperature(data: LogitsOfData) -> float:
    """The temperature of window logits, all samples having the same weight."""
    return fit_temperature(
        np.concatenate([found.logits for found, _ in data]),
        np.concatenate([dataset.labels[found.sample] for found, dataset in data]),
        weights=np.concatenate([found.weights for found, _ in data]),
    )
