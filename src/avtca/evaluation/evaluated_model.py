"""Networks, the people they are tested on, and whose answers they are calibrated by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset
from avtca.evaluation.calibration import fit_temperature
from avtca.evaluation.inference import WindowLogits, ensemble, window_logits
from avtca.evaluation.predictions import Predictions
from avtca.model import Card
from avtca.model.avtca import AVTCA

Float = NDArray[np.float64]
FittedOn = Literal["validation people", "other folds", ""]
"""Whose answers temperatures, sets and thresholds are fitted on; empty for nobody's."""
Seen = Sequence[tuple[WindowLogits, EmotionDataset]]
"""Answers on windows, and the samples that they are about."""


@dataclass(frozen=True)
class FoldModel:
    """Networks that answer as one (their probabilities' mean), and the samples they are tested on.

    ``validation``: samples of other people, whom the networks have not seen either; ``None`` where
    there are none, and ``lacking`` says why. ``trained``: speakers of the networks' training.
    """

    networks: tuple[AVTCA, ...]
    test: EmotionDataset
    validation: EmotionDataset | None
    lacking: str = ""
    trained: frozenset[str] = frozenset()
    temperature: float = 1.0


@dataclass(frozen=True)
class EvaluatedModel:
    """One network, several that answer as one, or those of all folds with their own test people.

    ``caveat``: what must be said of the split. ``card``: of the first network.
    """

    name: str
    parts: tuple[FoldModel, ...]
    card: Card
    caveat: str
    binary: bool
    provenance: dict[str, Any]
    votes: dict[str, Float] = field(default_factory=dict)
    """Raters' votes ``(n, k)``, or one column more, on every test sample, by what they were given;
    NaN where unrated."""
    intended: Float | None = None
    """The corpus's own label of every test sample, one-hot ``(n, k)``; zeros where there is none."""
    memo: dict[tuple[int, str], WindowLogits] = field(default_factory=dict, repr=False)

    @property
    def spec(self) -> ClipSpec:
        """What the samples were prepared with."""
        return self.parts[0].test.spec

    @property
    def test(self) -> list[EmotionDataset]:
        """The test samples of each part."""
        return [part.test for part in self.parts]

    @property
    def fitted_on(self) -> FittedOn:
        """Whose answers a part is fitted on, none of them about people it is tested on.

        Its validation people's, or, where any part has none, those of the other folds' networks
        about their own test people.
        """
        if self.binary:
            return ""
        if all(part.validation is not None for part in self.parts):
            return "validation people"
        apart = [
            any(len(_strangers(part, other)) for other in self.parts if other is not part)
            for part in self.parts
        ]
        return "other folds" if all(apart) else ""

    @property
    def unfitted_reason(self) -> str:
        """Why nothing can be fitted; empty where it can."""
        if self.fitted_on:
            return ""
        if self.binary:
            return "they are made for one label a sample, not for several"
        first = next(part for part in self.parts if part.validation is None)
        if len(self.parts) > 1:
            return f"{first.lacking}, and the people of the other folds are known here, too"
        return first.lacking

    def predict(
        self,
        change: Callable[[EmotionDataset], EmotionDataset] | None = None,
        *,
        calibrated: bool = False,
    ) -> Predictions:
        """Answers of all parts on their test samples, after ``change``."""
        return Predictions.joined(
            [self._predict(part, change, calibrated=calibrated) for part in self.parts]
        )

    def calibration_pairs(self) -> list[tuple[Predictions, Predictions]]:
        """For each part the answers that it is fitted on, and those about its test people.

        Both with the part's temperature.
        """
        out = []
        for part in self.parts:
            seen = [
                Predictions.of(samples, found.probabilities(part.temperature))
                for found, samples in self._seen(part)
            ]
            out.append((Predictions.joined(seen), self._predict(part, calibrated=True)))
        return out

    def calibrated(self) -> "EvaluatedModel":
        """The same with a temperature for each part, fitted as :attr:`fitted_on` says.

        Windows of a sample count as one sample. The card's, where there is nothing to fit it on.
        """
        known = float(self.card.calibration.get("temperature", 1.0))
        fit = bool(self.fitted_on)
        parts = [
            replace(part, temperature=_fit_temperature(self._seen(part)) if fit else known)
            for part in self.parts
        ]
        return replace(self, parts=tuple(parts))

    def _predict(
        self,
        part: FoldModel,
        change: Callable[[EmotionDataset], EmotionDataset] | None = None,
        *,
        calibrated: bool = False,
    ) -> Predictions:
        seen = part.test if change is None else change(part.test)
        found = self._logits(part, "test") if change is None else self._action(part, seen)
        probs = found.probabilities(part.temperature if calibrated else 1.0)
        return Predictions.of(seen, probs, binary=self.binary)

    def _seen(self, part: FoldModel) -> Seen:
        """What a part is fitted on; nothing of it is about the people it is tested on."""
        if self.fitted_on == "validation people" and part.validation is not None:
            return [(self._logits(part, "validation"), part.validation)]
        out = []
        for other in self.parts:
            if other.test is not part.test and len(rows := _strangers(part, other)):
                out.append((self._logits(other, "test").at(rows), other.test.subset(rows)))
        return out

    def _logits(self, part: FoldModel, side: Literal["test", "validation"]) -> WindowLogits:
        """Of untouched samples, kept once computed."""
        key = id(part.networks[0]), side
        if key not in self.memo:
            samples = part.test if side == "test" else part.validation
            assert samples is not None
            self.memo[key] = self._action(part, samples)
        return self.memo[key]

    def _action(self, part: FoldModel, samples: EmotionDataset) -> WindowLogits:
        return ensemble([window_logits(one, samples, binary=self.binary) for one in part.networks])


def _strangers(part: FoldModel, other: FoldModel) -> NDArray[np.int64]:
    """Rows of another part's test samples: people unseen by its networks, and not tested here."""
    known = set(part.test.speakers) | other.trained
    return np.array(
        [row for row, who in enumerate(other.test.speakers) if who not in known], np.int64
    )


def fit_window_temperature(found: WindowLogits, samples: EmotionDataset) -> float:
    """Temperature of window logits, each sample weighing the same."""
    return _fit_temperature([(found, samples)])


def _fit_temperature(seen: Seen) -> float:
    return fit_temperature(
        np.concatenate([found.logits for found, _ in seen]),
        np.concatenate([samples.labels[found.sample] for found, samples in seen]),
        weights=np.concatenate([found.weights for found, _ in seen]),
    )
