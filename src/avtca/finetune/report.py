"""The report of a fine-tuning, written as ``result.json``."""

from dataclasses import dataclass

from avtca.evaluation.report import PairedDifference, Serialisable, Summary

WANTED_ACCURACY = 0.95
"""Accuracy that answers above a threshold have to reach, as for the packaged model."""


@dataclass(frozen=True, kw_only=True)
class LabelChanges:
    """What becomes of the outputs of the initial model."""

    kept: list[str]
    """Labels of the clips that the initial model has, too."""
    new: list[str]
    """Labels of the clips that it does not have."""
    removed: list[str]
    """Labels that it predicts and no clip has."""

    def __str__(self) -> str:
        parts = [
            f"{', '.join(self.kept)} keep the model's outputs" if self.kept else "",
            f"{', '.join(self.new)} get new outputs" if self.new else "",
            f"{', '.join(self.removed)} are removed: no clip has them" if self.removed else "",
        ]
        return f"labels: {'; '.join(part for part in parts if part)}"


@dataclass(frozen=True, kw_only=True)
class SubsetSize:
    """Clips and speakers of a subset."""

    clips: int
    speakers: int


@dataclass(frozen=True, kw_only=True)
class FinalTraining:
    """The training of the exported network."""

    trained_on: SubsetSize
    validation: SubsetSize
    epoch: int
    """Epoch of the kept weights, counted from 1."""
    epochs: int
    learning_rate: float
    temperature: float
    """Calibrated on the validation clips."""
    figures: dict[str, float]
    """Validation metrics of the kept weights."""


@dataclass(frozen=True, kw_only=True)
class HeldOutThreshold:
    """The confidence threshold for an input, fitted on clips of held-out speakers."""

    threshold: float | None
    """``None`` where no threshold reaches the wanted accuracy on enough clips."""
    samples: int
    """Clips that have this input."""
    answered: float
    """Share of them above the threshold."""
    accuracy: float | None
    """Accuracy of these."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Metrics before and after fine-tuning, each clip predicted without its speaker's data."""

    after: Summary
    """The fine-tuned networks on all clips."""
    before: Summary | None = None
    """The initial model among all of its labels, on the clips whose label it has."""
    before_limited: Summary | None = None
    """The same among the labels of the clips."""
    after_known: Summary | None = None
    """The fine-tuned networks on those clips."""
    change: dict[str, PairedDifference] | None = None
    """Metric -> ``after_known - before_limited``, with its interval over speakers."""

    def rows(self) -> dict[str, Summary]:
        """The summaries by their names, in the order of a table."""
        names = "before", "before_limited", "after_known", "after"
        found = {name: getattr(self, name) for name in names}
        return {name: summary for name, summary in found.items() if summary is not None}


@dataclass(frozen=True, kw_only=True)
class FineTuneReport(Comparison, Serialisable):
    """Data, protocol, metrics and final training of a fine-tuning."""

    initial_model: str
    labels: LabelChanges
    clips: int
    speakers: int | None
    """Number of speakers; ``None`` where they are not known."""
    single_speaker_labels: list[str]
    """Labels of one speaker only, whose metrics are meaningless."""
    failed: int
    """Clips that could not be decoded."""
    notes: list[str]
    """Which clips are left out, and why."""
    protocol: str
    """The cross-validation in words."""
    caveat: str
    """Caveats of the split in one line; "clean" for none."""
    final: FinalTraining
    thresholds: dict[str, HeldOutThreshold] | None = None
    """Input ("both", "face", "voice") -> its threshold; ``None`` in earlier reports."""
