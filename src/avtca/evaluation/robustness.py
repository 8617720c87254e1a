"""Robustness: metrics of models on degraded samples, over the levels of each condition."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from avtca.data.dataset import EmotionDataset
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import baselines, estimate_metrics, metric_difference
from avtca.evaluation.degradations import CONDITIONS, Condition
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import Estimate, Level, RobustnessPoint, RobustnessReport

Degraded = dict[tuple[Any, ...], EmotionDataset]
"""Degraded data sets by ClipSpec and samples, so that models with the same ones share windows."""


def measure_robustness(
    models: Sequence[EvaluatedModel],
    conditions: Iterable[str] = (),
    *,
    progress: Callable[[str, str, Level], None] | None = None,
) -> RobustnessReport:
    """Evaluate models on degraded samples.

    Args:
        models: Models with different names.
        conditions: Names of :data:`~avtca.evaluation.degradations.CONDITIONS`; by default all
            that fit the ClipSpec.
        progress: Called with model, condition and level before each evaluation.

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
    curves: dict[str, dict[str, list[RobustnessPoint]]] = {model.name: {} for model in models}
    for name in wanted:
        condition = CONDITIONS[name]
        fitting = [model for model in models if condition.fits(model.spec)]
        untouched: dict[str, Predictions] = {}
        for level in condition.levels:
            degraded: Degraded = {}
            first: Predictions | None = None
            for model in fitting:
                if progress is not None:
                    progress(model.name, name, level)
                table = model.predict(partial(degrade_once, degraded, condition, level))
                point = RobustnessPoint(
                    level=level,
                    change=accuracy_difference(table, untouched.get(model.name)),
                    against=accuracy_difference(table, first),
                    **vars(estimate_metrics(table)),
                )
                curves[model.name].setdefault(name, []).append(point)
                untouched.setdefault(model.name, table)
                first = table if first is None else first
    if not any(curves.values()):
        fix = f"choose among {', '.join(CONDITIONS)}"
        raise ConfigError(action, "no condition fits the ClipSpec", fix)
    return RobustnessReport(
        systems=curves,
        units={name: CONDITIONS[name].unit for name in wanted},
        splits={model.name: model.split for model in models},
        samples={model.name: sum(map(len, model.test)) for model in models},
        baselines={
            model.name: found
            for model in models
            if (found := baselines(model.predict())) is not None
        },
    )


def accuracy_difference(one: Predictions, other: Predictions | None) -> Estimate | None:
    """Accuracy of one table minus that of another on the same samples, paired over speakers.

    ``None`` without another table, or on other samples.
    """
    if other is None or set(one.samples) != set(other.samples):
        return None
    try:
        found = metric_difference({None: one}, {None: other})
    except ValueError:  # other labels of the same samples
        return None
    return Estimate(found.value, found.low, found.high)


def degrade_once(
    degraded: Degraded, condition: Condition, level: Level, dataset: EmotionDataset
) -> EmotionDataset:
    """The data set at a level, its windows shared by all models that read the same samples.

    The targets are the data set's own.
    """
    key = dataset.spec.hash, dataset.normalisation is None, *dataset.sample_ids
    if key not in degraded:
        degraded[key] = condition.apply(dataset, level)
    out = replace(degraded[key], targets=dataset.targets)
    object.__setattr__(out, "cache", degraded[key].cache)
    return out
