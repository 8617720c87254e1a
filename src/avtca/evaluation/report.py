"""The reports of ``avtca evaluate``, ``robustness`` and ``compare`` as typed values.

Each report has ``to_dict`` for JSON and ``from_dict`` for saved files, those of avtca 0.1 included.
A field that defaults to ``None`` is left out of the JSON where there is no value.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from avtca.data.caveats import Caveat, caveat_text, unique
from avtca.evaluation.estimates import (
    METRIC_NAMES,
    Agreement,
    Baselines,
    CalibrationSource,
    Estimate,
    GroupMetrics,
    Level,
    MetricName,
    Metrics,
    Modality,
    Serialisable,
    format_percent,
    in_percent,
)

__all__ = [
    "METRIC_NAMES",
    "AbstentionReport",
    "AbstentionThreshold",
    "Agreement",
    "Baselines",
    "BinaryClass",
    "CalibrationErrors",
    "CalibrationReport",
    "CalibrationSource",
    "ComparisonReport",
    "Estimate",
    "EvaluationReport",
    "GroupMetrics",
    "LeftOut",
    "Level",
    "MetricName",
    "Metrics",
    "Modality",
    "MultilabelSummary",
    "MultilabelThresholds",
    "PairedDifference",
    "PairedTests",
    "PerClass",
    "PooledMetrics",
    "PredictionSets",
    "RaterAgreement",
    "RobustnessPoint",
    "RobustnessReport",
    "SentimentMetrics",
    "Serialisable",
    "SpeakerNormalisation",
    "SplitInfo",
    "Summary",
    "format_percent",
    "in_percent",
]


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """Precision, recall, F1 and number of samples of each label, in the order of the labels.

    A label that no sample has, has no values; it is in no mean over the labels either.
    """

    precision: list[float | None]
    recall: list[float | None]
    f1: list[float | None]
    support: list[float]


@dataclass(frozen=True, kw_only=True)
class PooledMetrics(GroupMetrics):
    """Metrics over all test samples; counts of the confusion matrix are means over seeds."""

    labels: list[str]
    speakers: int
    level: float
    """Confidence level of the intervals."""
    confusion: list[list[float]] | None = None
    """True labels in rows, predicted ones in columns; ``None`` for several labels a sample."""
    per_class: PerClass | None = None

    @property
    def absent(self) -> list[str]:
        """Labels that no sample has."""
        if self.per_class is None:
            return []
        pairs = zip(self.labels, self.per_class.support, strict=True)
        return [label for label, support in pairs if not support]


@dataclass(frozen=True, kw_only=True)
class Summary(PooledMetrics):
    """Metrics of a cross-validation, of each seed and of each fold."""

    seeds: dict[str, dict[MetricName, float]]
    """Seed -> metric -> value over all folds."""
    folds: dict[MetricName, list[float | None]]
    """Metric -> mean over the seeds of each fold."""
    spread: dict[MetricName, float | None]
    """Metric -> standard deviation over the folds; ``None`` for a single fold."""


@dataclass(frozen=True, kw_only=True)
class SplitInfo:
    """The data that a model is evaluated on, and the caveats of the split."""

    caveat: str = ""
    """The caveats in one line; "clean" for none."""
    caveats: tuple[Caveat, ...] = ()
    corpus: str = ""
    data_hash: str = ""
    folds: str | None = None
    folds_hash: str | None = None
    split_audit: str | None = None
    target: str | None = None
    where: dict[str, str] | None = None
    normalise: str | None = None
    failed: int | None = None
    """Clips that could not be decoded."""

    @classmethod
    def of(cls, caveats: Iterable[Caveat], **provenance: Any) -> Self:
        """The provenance of a data module with these caveats."""
        told = unique(caveats)
        return cls(caveat=caveat_text(told), caveats=told, **provenance)


@dataclass(frozen=True, kw_only=True)
class CalibrationErrors:
    """Calibration of the top label, and its reliability curve.

    Lists have one entry for each bin (``edges`` one more); ``None`` in an empty bin.
    """

    ece: float
    adaptive_ece: float
    nll: float
    brier: float
    confidence: list[float | None]
    accuracy: list[float | None]
    count: list[int]
    edges: list[float]


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """Calibration before and after temperature scaling, with a temperature for each fold."""

    temperature: list[float]
    before: CalibrationErrors
    after: CalibrationErrors


@dataclass(frozen=True, kw_only=True)
class PredictionSets:
    """Conformal prediction sets of one method at one promised coverage."""

    method: Literal["lac", "aps"]
    promised: float
    covered: float
    """Share of sets that hold the true label."""
    mean_size: float
    single: float
    """Share of sets of one label."""


@dataclass(frozen=True, kw_only=True)
class AbstentionThreshold:
    """The confidence from which a model answers, chosen for a wanted accuracy."""

    wanted: float
    threshold: list[float | None]
    """Of each fold; ``None`` where no threshold reaches the wanted accuracy."""
    answered: float
    """Share of samples."""
    accuracy: float | None
    """Of the answered samples."""


@dataclass(frozen=True, kw_only=True)
class AbstentionReport:
    """Selective prediction: accuracy over coverage, and thresholds for wanted accuracies."""

    aurc: float
    """Area under the risk-coverage curve."""
    coverage: list[float]
    accuracy: list[float]
    thresholds: list[AbstentionThreshold]


@dataclass(frozen=True, kw_only=True)
class SpeakerNormalisation:
    """Metrics where predictions are normalised over each speaker's own samples."""

    min_samples: int
    """The smallest number of samples of a speaker."""
    normalised: Metrics


@dataclass(frozen=True, kw_only=True)
class RaterAgreement:
    """How often human raters and the model choose the intended label, on the same samples."""

    samples: int
    one_rater: float
    majority: float
    network: float
    voted: int
    """Samples with a single most frequent vote."""
    network_as_voted: float | None
    """How often the model predicts that vote."""


@dataclass(frozen=True, kw_only=True)
class BinaryClass:
    """Presence of one label of several."""

    weighted_accuracy: float | None
    """``None`` where the label is always or never present."""
    f1: float
    weighted_f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class MultilabelSummary:
    """Metrics of several labels a sample: means over the labels, and each label's."""

    n: int
    weighted_accuracy: float | None
    f1: float
    weighted_f1: float
    per_class: dict[str, BinaryClass]
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class MultilabelThresholds:
    """Metrics of several labels a sample with a threshold for each, fitted on other speakers."""

    thresholds: dict[str, list[float]]
    """Label -> threshold of each fold."""
    metrics: MultilabelSummary


@dataclass(frozen=True, kw_only=True)
class SentimentMetrics:
    """Metrics of predicted sentiment, -3..3 (:mod:`avtca.evaluation.sentiment`)."""

    mae: Estimate
    """Mean absolute error."""
    pearson: Estimate
    """Pearson's correlation."""
    accuracy7: Estimate
    """Of both rounded to -3..3."""
    accuracy2_with_zero: Estimate
    """Negative against non-negative."""
    f1_with_zero: Estimate
    """Weighted F1 of these two classes."""
    accuracy2: Estimate
    """Negative against positive; samples with a true sentiment of 0 are left out."""
    f1: Estimate
    """Weighted F1 of these two classes."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Sections that a report lacks, and the reason."""

    what: list[str]
    why: str


@dataclass(frozen=True, kw_only=True)
class EvaluationReport(Serialisable):
    """The evaluation report of a model on held-out speakers.

    ``calibration``, ``sets``, ``abstention``, ``speaker_normalisation`` and
    ``multilabel_thresholds`` are fitted on ``fitted_on``; where there is nothing to fit them on,
    ``left_out`` stands in their place.
    """

    name: str
    variant: str
    clip_spec_hash: str
    split: SplitInfo
    networks: int
    labels: list[str]
    samples: int
    speakers: int
    metrics: PooledMetrics
    modalities: dict[Modality, GroupMetrics]
    """Each on the samples that have these modalities; missing where no sample has them."""
    groups: dict[str, dict[str, GroupMetrics]]
    """Column of the manifest -> value -> metrics."""
    agreement: Agreement | None = None
    """``None`` for several labels a sample."""
    raters: dict[str, RaterAgreement] | None = None
    """What the raters were given ("voice", "face", "both") -> agreement."""
    multilabel: MultilabelSummary | None = None
    """With a threshold of 0.5."""
    multilabel_thresholds: MultilabelThresholds | None = None
    sentiment: SentimentMetrics | None = None
    """For a network that predicts a value; ``metrics`` are then those of the seven classes."""
    intended: GroupMetrics | None = None
    """Against the corpus's own label, where the model was trained on another target."""
    left_out: LeftOut | None = None
    fitted_on: CalibrationSource | None = None
    calibration: CalibrationReport | None = None
    sets: list[PredictionSets] | None = None
    abstention: AbstentionReport | None = None
    speaker_normalisation: SpeakerNormalisation | None = None


@dataclass(frozen=True, kw_only=True)
class RobustnessPoint(Metrics):
    """Metrics at one level of a degradation, and paired differences of the accuracy."""

    level: Level
    change: Estimate | None = None
    """From the untouched samples; ``None`` for these, and in earlier reports."""
    against: Estimate | None = None
    """From the first model at this level; ``None`` for that model, or on other samples."""


@dataclass(frozen=True, kw_only=True)
class RobustnessReport(Serialisable):
    """Metrics of each model over the levels of each condition."""

    systems: dict[str, dict[str, list[RobustnessPoint]]]
    """Model -> condition -> levels, from the untouched samples on."""
    units: dict[str, str]
    """Condition -> unit of its levels."""
    splits: dict[str, SplitInfo]
    samples: dict[str, int]
    baselines: dict[str, Baselines] | None = None
    """Model -> baselines on its untouched samples; ``None`` in earlier reports."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference(Serialisable):
    """Difference of two systems on the same speakers, with its interval and bootstrap p-value."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class PairedTests:
    """The differences ``first - second`` of two systems over their common seeds.

    McNemar's exact p-value is that of the first common seed.
    """

    first: str
    second: str
    accuracy: PairedDifference
    uar: PairedDifference
    weighted_f1: PairedDifference
    macro_f1: PairedDifference
    mcnemar: float | None = None
    seeds: int = 1
    """Common seeds."""
    p_holm: float | None = None
    """P-value of the accuracy, adjusted for the number of comparisons in the report (Holm)."""


@dataclass(frozen=True, kw_only=True)
class ComparisonReport(Serialisable):
    """Systems on the same samples, and paired tests of each two."""

    samples: int
    speakers: int
    caveats: dict[str, str]
    """System -> caveats of its split in one line; empty where nothing is known of it."""
    systems: dict[str, Summary]
    pairs: list[PairedTests]
    notes: list[str] = field(default_factory=list)
    """What limits the comparison."""
