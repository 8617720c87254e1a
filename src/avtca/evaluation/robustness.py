"""Robustness: metrics of models on degraded samples, over the levels of each condition."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from avtca.data.dataset import CACHE_BYTES, EmotionDataset
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import baselines, estimate_metrics, metric_difference
from avtca.evaluation.degradations import CONDITIONS, Condition
from avtca.evaluation.evaluate import modality_rows
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import Estimate, Level, Metrics, RobustnessPoint, RobustnessReport
from avtca.progress import ProgressHook, no_progress

STAGE = "evaluate"
"""Stage that :func:`measure_robustness` reports to its progress hook."""
_NOTHING = Estimate(None, None, None)
NO_METRICS = Metrics(accuracy=_NOTHING, uar=_NOTHING, weighted_f1=_NOTHING, macro_f1=_NOTHING)
"""Of no samples."""
Degraded = dict[tuple[Any, ...], EmotionDataset]
"""Degraded data sets by ClipSpec and samples, so that models with the same ones share windows."""


def measure_robustness(
    models: Sequence[EvaluatedModel],
    conditions: Iterable[str] = (),
    *,
    progress: ProgressHook = no_progress,
) -> RobustnessReport:
    """Evaluate models on degraded samples.

    Samples are read once. Levels that leave a modality as it is share its windows.

    Args:
        models: Models with different names.
        conditions: Names of :data:`~avtca.evaluation.degradations.CONDITIONS`; by default all
            that fit the ClipSpec.
        progress: Called after each evaluation of a model at a level.

    Raises:
        ConfigError: For unknown conditions, models of the same name, or if no condition fits.
    """
    wanted = list(conditions) or list(CONDITIONS)
    action = "measure robustness"
    if unknown := sorted(set(wanted) - set(CONDITIONS)):
        problem = f"unknown condition {unknown[0]!r}"
        raise ConfigError(action, problem, f"choose among {', '.join(CONDITIONS)}")
    if len({model.name for model in models}) != len(models):
        raise ConfigError(action, "two models have the same name", "name each of them once")
    tasks = [
        (name, level, [model for model in models if CONDITIONS[name].fits(model.spec)])
        for name in wanted
        for level in CONDITIONS[name].levels
    ]
    total = sum(len(fitting) for _, _, fitting in tasks)
    if not total:
        fix = f"choose among {', '.join(CONDITIONS)}"
        raise ConfigError(action, "no condition fits the ClipSpec", fix)
    read: Degraded = {}
    kept = {model.name: keep_samples(model, read) for model in models}
    curves: dict[str, dict[str, list[RobustnessPoint]]] = {model.name: {} for model in models}
    untouched: dict[tuple[str, str], Predictions] = {}
    done = 0
    for name, level, fitting in tasks:
        degraded: Degraded = {}
        first: Predictions | None = None
        for model in fitting:
            transform = partial(degrade_once, degraded, CONDITIONS[name], level)
            table = _with_modality(kept[model.name], transform, name, level)
            point = RobustnessPoint(
                level=level,
                change=accuracy_difference(table, untouched.get((model.name, name))),
                against=accuracy_difference(table, first),
                **vars(estimate_metrics(table) if len(table) else NO_METRICS),
            )
            curves[model.name].setdefault(name, []).append(point)
            untouched.setdefault((model.name, name), table)
            first = table if first is None else first
            done += 1
            progress(STAGE, done, total)
    return RobustnessReport(
        systems=curves,
        units={name: CONDITIONS[name].unit for name in wanted},
        splits={model.name: model.split for model in models},
        samples={model.name: sum(map(len, model.test)) for model in models},
        baselines={
            model.name: found
            for model in kept.values()
            if (found := baselines(model.predict())) is not None
        },
    )


def _with_modality(model: EvaluatedModel, transform: Any, name: str, level: Level) -> Predictions:
    """Predictions at a level; those of the modalities for the samples that have them."""
    found = model.predict(transform)
    if name != "modality":
        return found
    return found.at(next(has for one, has in modality_rows(model).items() if one == level))


def accuracy_difference(one: Predictions, other: Predictions | None) -> Estimate | None:
    """Accuracy of one table minus that of another on the same samples, paired over speakers.

    ``None`` without another table, or on other samples.
    """
    if other is None or not len(one) or set(one.samples) != set(other.samples):
        return None
    try:
        found = metric_difference({None: one}, {None: other})
    except ValueError:  # other labels of the same samples
        return None
    return Estimate(found.value, found.low, found.high)


def keep_samples(model: EvaluatedModel, read: Degraded) -> EvaluatedModel:
    """The model with its test samples in memory, unless they are too large for it.

    Args:
        model: The model.
        read: Data sets that were read before, for models with the same samples.
    """
    folds = []
    for fold in model.folds:
        key = _key(fold.test)
        if key not in read:
            read[key] = _in_memory(fold.test)
        folds.append(replace(fold, test=_like(fold.test, read[key])))
    return replace(model, folds=tuple(folds))


def _in_memory(dataset: EmotionDataset) -> EmotionDataset:
    if not len(dataset):
        return dataset
    first = dataset.samples[0]
    size = first.video.nbytes + first.wave.nbytes + first.steps.nbytes
    longest = max(dataset.durations) / max(dataset.durations[0], 1e-3)
    if size * max(1.0, longest) * len(dataset) > CACHE_BYTES:
        return dataset
    return replace(dataset, samples=list(dataset.samples))


def degrade_once(
    degraded: Degraded, condition: Condition, level: Level, dataset: EmotionDataset
) -> EmotionDataset:
    """The data set at a level, its windows shared by all models that read the same samples.

    The targets are the data set's own.
    """
    if level == condition.levels[0]:
        return dataset
    key = _key(dataset)
    if key not in degraded:
        degraded[key] = condition.apply(dataset, level)
    return _like(dataset, degraded[key])


def _key(dataset: EmotionDataset) -> tuple[Any, ...]:
    return dataset.spec.hash, dataset.normalisation is None, *dataset.sample_ids


def _like(dataset: EmotionDataset, other: EmotionDataset) -> EmotionDataset:
    """Another data set of the same samples, with its windows and the targets of the first."""
    out = replace(other, targets=dataset.targets)
    object.__setattr__(out, "cache", other.cache)
    return out
