"""Values with intervals, and the metrics of every table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, Self

from pydantic import TypeAdapter

from avtca.compat import upgrade_report
from avtca.data.caveats import provenance_caveats

MetricName = Literal["accuracy", "uar", "weighted_f1", "macro_f1"]
METRIC_NAMES: tuple[MetricName, ...] = ("accuracy", "uar", "weighted_f1", "macro_f1")
Modality = Literal["both", "audio only", "video only"]
CalibrationSource = Literal["validation speakers", "other folds"]
"""Whose predictions temperatures, sets and thresholds are fitted on."""
Level = str | float | None
"""The level of a degradation; ``None`` for an untouched sample."""


class Estimate(NamedTuple):
    """A value with its confidence interval: ``[value, low, high]`` in JSON, ``None`` if absent."""

    value: float | None
    low: float | None
    high: float | None


def in_percent(estimate: Sequence[float | None]) -> tuple[float, float, float]:
    """Value, lower and upper bound in percent; NaN for ``None``."""
    value, low, high = (float("nan") if x is None else 100 * x for x in estimate)
    return value, low, high


def format_percent(estimate: Sequence[float | None]) -> str:
    """``61.5 [52.0, 70.1]`` in percent, or the value alone where there is no interval."""
    value, low, high = in_percent(estimate)
    return f"{value:.1f}" if low != low else f"{value:.1f} [{low:.1f}, {high:.1f}]"


class Serialisable:
    """JSON values of a report and back."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        values = to_json(self)
        assert isinstance(values, dict)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A report from its JSON values; pydantic's ``ValidationError`` where they do not fit."""
        upgraded = upgrade_report(values)
        for split in (upgraded.get("split"), *upgraded.get("splits", {}).values()):
            if split is not None and "caveats" not in split:
                split["caveats"] = to_json(provenance_caveats(split) or ())
        return TypeAdapter(cls).validate_python(upgraded)


def to_json(value: Any) -> Any:
    """Dataclasses, tuples and enums as JSON-serialisable values."""
    if is_dataclass(value):
        pairs = ((one, getattr(value, one.name)) for one in fields(value))
        return {
            one.name: to_json(found)
            for one, found in pairs
            if found is not None or one.default is not None
        }
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return value.value if isinstance(value, Enum) else value


@dataclass(frozen=True, kw_only=True)
class Metrics(Serialisable):
    """The four metrics of every table, with intervals from a bootstrap over speakers.

    With several labels a sample they are means over the labels; ``uar`` is then CMU-MOSEI's
    weighted accuracy.
    """

    accuracy: Estimate
    uar: Estimate
    weighted_f1: Estimate
    macro_f1: Estimate

    def __getitem__(self, name: MetricName) -> Estimate:
        found: Estimate = getattr(self, name)
        return found


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Scores without looking at the samples, in the place of accuracy and UAR."""

    chance: float
    """Accuracy and UAR of guessing among all labels of the model."""
    majority: float
    """Accuracy of always predicting the most frequent label."""
    majority_uar: float
    """UAR of the same: one over the number of labels that occur."""
    majority_label: str


@dataclass(frozen=True, kw_only=True)
class GroupMetrics(Metrics):
    """Metrics of a number of samples."""

    samples: int
    baselines: Baselines | None = None
    """``None`` for several labels a sample, and in reports of avtca 0.3 and earlier."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Cohen's kappa of the given and the predicted labels, with intervals over speakers."""

    kappa: Estimate
    weighted: Estimate
    """Kappa in which some confusions count less, see ``rule``."""
    rule: str
    """The weights of the confusions."""
    per_label: dict[str, Estimate]
    """Label -> kappa of this label against all others; no value where the label does not occur."""
