"""An experiment's data, and one fold of it from fresh weights to answers on test people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from avtca.corpora.prepared import PreparedCorpus
from avtca.errors import ConfigError
from avtca.evaluation.material import Material, open_material
from avtca.evaluation.predict import predict_takes
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.takes import TakeSet
from avtca.files import write_atomic
from avtca.training.distributed import process_rank
from avtca.training.experiment import Experiment
from avtca.training.fit import FitResult, fit, new_network
from avtca.training.start import start_from


def load_material(experiment: Experiment, *, memory: bool | None = None) -> Material:
    """The experiment's takes and folds; see :func:`open_material` for what is refused."""
    data = experiment.data
    prepared = PreparedCorpus.open(data.corpus)
    return open_material(
        data.corpus,
        folds=data.folds,
        spec=experiment.clip.over(prepared.spec),
        labels=data.labels,
        target=data.target,
        where=data.where,
        standardise=data.standardise,
        allow_leak=data.allow_leak,
        memory=memory,
    )


def run_fold(
    experiment: Experiment,
    material: Material,
    *,
    fold: int,
    seed: int,
    out: Path,
    progress: bool = False,
    board: bool = False,
) -> FitResult:
    """Train one fold with one seed in ``out`` and write ``validation.csv`` and ``test.csv``.

    The test people are looked at once, with the weights that validation chose.
    """
    recipe = experiment.train.model_copy(update={"seed": seed})
    train, validation, test = (material.side(fold, s) for s in ("train", "validation", "test"))
    if experiment.data.validation == "train":
        rows = material.rows[fold]
        train = material.takes.at(np.sort(np.concatenate((rows["train"], rows["validation"]))))
        validation = material.takes.at(())
    held_out = validation if len(validation) else None
    config = experiment.model_copy(update={"train": recipe})
    resolved = config.resolved()
    resolved["data"] = {**resolved["data"], "fold": fold, "corpus": material.provenance["corpus"]}
    resolved.pop("seeds")
    network = new_network(
        experiment.model.variant, material.takes.spec, seed=seed, **experiment.model.sizes
    )
    labels, start = material.takes.spec.labels, experiment.model.start
    taken = start_from(network, labels, start) if start else {}
    result = fit(
        network,
        recipe,
        train,
        held_out,
        out=out,
        provenance={**material.provenance, "fold": fold, "experiment": resolved, **taken},
        progress=progress,
        board=board,
    )
    if process_rank() == 0:
        answer(result, out, validation=held_out, test=test, binary=recipe.loss == "binary")
    return result


def answer(
    result: FitResult, out: Path, *, validation: TakeSet | None, test: TakeSet, binary: bool
) -> None:
    """Write the answers on both sides, where they are not there yet."""
    for name, side in (("validation", validation), ("test", test)):
        path = out / f"{name}.csv"
        if side is not None and len(side) and not path.exists():
            probs = predict_takes(result.network, side, binary=binary)
            Predictions.of(side, probs, binary=binary).save(path)


def write_config(out: Path, experiment: Experiment, material: Material) -> None:
    """``config.json``: the resolved configuration and where the data come from."""
    out.mkdir(parents=True, exist_ok=True)
    values: Mapping[str, Any] = {"config": experiment.resolved(), "data": material.provenance}
    path, text = out / "config.json", json.dumps(values, indent=1, sort_keys=True)
    if path.exists() and json.loads(path.read_text())["data"] != json.loads(text)["data"]:
        raise ConfigError(
            f"continue in {out}",
            "it was begun with other data or folds",
            "choose another --out, or delete the folder",
        )
    write_atomic(path, text)


def with_variant(experiment: Experiment, variant: str, **sizes: Any) -> Experiment:
    """The same experiment with another network."""
    model = experiment.model.model_copy(update={"variant": variant, "sizes": sizes})
    return experiment.model_copy(update={"model": model})
