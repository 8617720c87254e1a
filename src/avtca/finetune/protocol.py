"""Cross-validation of a fine-tuning: its folds, and the comparison with the initial model."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avtca.corpora.splits import CrossValidationSplit, Fold, cyclic_folds
from avtca.data.dataset import EmotionDataset, mapped_targets
from avtca.evaluation.aggregate import metric_difference, summarise
from avtca.evaluation.inference import window_logits
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import MetricName
from avtca.finetune.clips import LEAK, LabelledClips
from avtca.finetune.initial import InitialModel
from avtca.finetune.report import Comparison, LabelChanges

FOLDS = 5
METRICS: tuple[MetricName, ...] = ("accuracy", "uar")
"""Metrics whose change is reported, with its interval."""


def make_speaker_folds(clips: LabelledClips) -> list[list[str]]:
    """At most five groups of speakers with about equally many clips.

    Without speakers, groups of clips with about equal shares of labels.
    """
    samples = clips.samples
    if clips.named:
        count = {name: list(samples.speakers).count(name) for name in sorted(set(samples.speakers))}
        groups: list[list[str]] = [[] for _ in range(min(FOLDS, len(count)))]
        for name in sorted(count, key=lambda name: (-count[name], name)):
            min(groups, key=lambda group: sum(count[one] for one in group)).append(name)
        return groups

    def place(row: int) -> tuple[int, str]:
        return int(samples.labels[row]), hashlib.sha256(
            samples.sample_ids[row].encode()
        ).hexdigest()

    order = [samples.sample_ids[row] for row in sorted(range(len(samples)), key=place)]
    return [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]


def folds_of(groups: Sequence[Sequence[str]], *, named: bool) -> CrossValidationSplit:
    """Folds that test each group once and validate on the next; two groups leave none for that."""
    two = len(groups) == 2
    if two:
        pairs = zip(groups, groups[::-1], strict=True)
        splits = [Fold(frozenset(train), frozenset(), frozenset(test)) for test, train in pairs]
    else:
        splits = cyclic_folds(groups)
    unit = "speakers" if named else "clips"
    how = "a fixed number of epochs" if two else "the next group chooses the epoch"
    return CrossValidationSplit(
        f"finetune_{unit}",
        "folder",
        "speaker" if named else "sample_id",
        tuple(splits),
        f"{len(groups)} groups of {unit}, each tested once by a network without it; {how}",
        warning="" if named else f"split over clips, not over speakers: {LEAK}",
    )


def label_changes(model: InitialModel, labels: Sequence[str]) -> LabelChanges:
    """Which of the clips' labels the initial model has."""
    return LabelChanges(
        kept=[one for one in labels if one in model.labels],
        new=[one for one in labels if one not in model.labels],
        removed=[one for one in model.predicted_labels if one not in labels],
    )


def single_speaker_labels(clips: LabelledClips) -> list[str]:
    """Labels of one speaker only, which are not in training when that speaker is tested."""
    if not clips.named:
        return []
    samples = clips.samples
    speakers = np.array(samples.speakers)
    return [
        label
        for at, label in enumerate(samples.spec.labels)
        if len(set(speakers[samples.labels == at])) == 1
    ]


def predict_before(
    model: InitialModel, samples: EmotionDataset
) -> tuple[Predictions, Predictions] | None:
    """Predictions of the initial model as it is used for recognition.

    Returns:
        Predictions among all of its labels, and among the labels of the samples, both on the
        samples whose label it has; ``None`` if it has none of them.
    """
    labels, names = samples.spec.labels, model.predicted_labels
    rows = [row for row, at in enumerate(samples.labels) if labels[at] in names]
    if not rows:
        return None
    known = samples.subset(rows)
    probs = window_logits(model.backend, known).probabilities()
    limited = np.zeros((len(known), len(labels)))
    for column, label in enumerate(labels):
        if label in names:
            limited[:, column] = probs[:, names.index(label)]
    limited /= limited.sum(1, keepdims=True)
    targets, _ = mapped_targets(known.targets, labels, names)
    among_all = replace(known, spec=replace(known.spec, labels=names), targets=targets)
    return Predictions.of(among_all, probs), Predictions.of(known, limited)


def compare_before_after(
    model: InitialModel, samples: EmotionDataset, after: Predictions
) -> Comparison:
    """Metrics before and after on the same clips, and the change with its speaker interval."""
    whole = summarise({0: [after]})
    found = predict_before(model, samples)
    if found is None:
        return Comparison(after=whole)
    before, limited = found
    same = after.at(np.isin(after.samples, before.samples))
    comparison = Comparison(
        after=whole,
        before=summarise({0: [before]}),
        after_known=summarise({0: [same]}) if len(same) < len(after) else None,
    )
    if len(set(model.predicted_labels) & set(samples.spec.labels)) < 2:
        return comparison
    return replace(
        comparison,
        before_limited=summarise({0: [limited]}),
        change={name: metric_difference({None: same}, {None: limited}, name) for name in METRICS},
    )
