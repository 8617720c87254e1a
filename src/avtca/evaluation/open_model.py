"""Trained networks on disk and the people they have not seen: what is evaluated, on what."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.leakage import speaker_warnings
from avtca.data.caveats import caveat_of, joined
from avtca.data.data_module import DataModule, chosen_samples, open_data_module
from avtca.data.dataset import VOTE_SHARES, EmotionDataset, mapped_targets
from avtca.errors import ConfigError, LeakError
from avtca.evaluation.evaluated_model import (
    EvaluatedModel,
    Float,
    FoldModel,
    fit_window_temperature,
)
from avtca.evaluation.inference import resolve_device
from avtca.evaluation.predictions import folds_of, numbered, run_name
from avtca.model import Card, load_checkpoint
from avtca.model.avtca import AVTCA
from avtca.model.lineage import trained_on, training_speakers, unchecked

__all__ = [
    "EvaluatedModel",
    "FoldModel",
    "best_checkpoint",
    "fit_window_temperature",
    "open_evaluated_model",
]
Loaded = tuple[AVTCA, Card]


def open_evaluated_model(
    path: Path,
    corpus: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    allow_leak: bool = False,
    device: str = "cpu",
) -> EvaluatedModel:
    """A checkpoint, a run's folder or a cross-validation's, with the samples to test it on.

    A run remembers its folds: its test people are taken from the corpus again, and those of each
    fold for a cross-validation (``seed`` chooses among its seeds, by default the first). On a fold
    of other folds (``folds``, ``fold``), and on all samples of a corpus for which none are known, the
    networks of a cross-validation answer as one. ``device``: "auto", "cpu" or "cuda".

    Raises :class:`LeakError` where people of the test side were trained on, unless ``allow_leak``;
    :class:`ClipSpecMismatch` where the corpus is prepared differently; :class:`ConfigError` where
    folds have changed since the training or one of several is not named, for a seed or a fold of
    a cross-validation that is not there, and for a missing device.
    """
    action = f"evaluate {path}"
    if fold is not None and folds is None:
        raise ConfigError(
            f"{action} on fold {fold}",
            "no folds are named",
            "add --folds, or name the folder of that fold's training",
        )
    checkpoints, numbers = _checkpoints(path, seed)
    at = resolve_device(device)
    loaded = [load_checkpoint(checkpoint, device=at) for checkpoint in checkpoints]
    first = loaded[0][1]
    run = _run(first)
    prepared = PreparedCorpus.open(corpus).view(first.clip_spec)
    same = _same_corpus(first, prepared)
    name = folds or (str(run["folds"]) if same and run.get("folds") else None)
    choice: dict[str, Any] = {
        "target": run.get("target", "label") if same else "label",
        "where": run.get("where") if same else None,
        "normalise": run.get("normalise", "none"),
    }
    if name is None:
        _require_all(action, numbers, folds_of(path))
        samples = chosen_samples(prepared, labels=first.labels, **choice)
        parts = [_part(loaded, prepared.name, samples, None, "no folds are named")]
        provenance = {"corpus": prepared.name, "data_hash": prepared.data_hash, **choice}
        nameless = unchecked(first, prepared.name)
        told = (caveat_of(choice), nameless, *speaker_warnings(prepared.manifest))
        caveat = joined(("whole corpus", *told))
    else:
        data_module = open_data_module(
            corpus,
            folds=name,
            spec=first.clip_spec,
            labels=first.labels,
            allow_leak=allow_leak,
            **choice,
        )
        provenance, caveat = data_module.provenance, caveat_of(data_module.provenance)
        if folds is None:
            _require_unchanged(action, name, loaded, data_module)
            caveat = joined((caveat, _changed_samples(loaded, prepared.data_hash)))
        again = same and {_run(card).get("folds_hash") for _, card in loaded}
        if folds is None or (fold is None and again == {data_module.folds.hash}):
            _require_all(action, numbers, len(data_module.rows))
            parts = [_side([one], data_module, int(_run(one[1]).get("fold", 0))) for one in loaded]
        else:
            _require_all(action, numbers, folds_of(path))
            parts = [_side(loaded, data_module, _only(action, data_module, fold))]
    caveat = joined([caveat, *(_leak(part, allow_leak) for part in parts)])
    binary = first.provenance.get("train_config", {}).get("loss") == "binary"
    votes, intended = _told_by_people(prepared, [part.test for part in parts])
    where = run_name(path), tuple(parts), first, caveat, binary
    return EvaluatedModel(*where, provenance, votes, intended)


def _run(card: Card) -> dict[str, Any]:
    """Where a network's training took its data from."""
    return dict(card.provenance.get("provenance") or {})


def _same_corpus(card: Card, corpus: PreparedCorpus) -> bool:
    """Whether a network was trained on this corpus. Everybody's own folder has the same name:
    there it is the same samples, or all of the people.
    """
    run = _run(card)
    if run.get("corpus") != corpus.name:
        return False
    people = training_speakers(card).get(corpus.name, ())
    if corpus.name != "folder" or run.get("data_hash") == corpus.data_hash:
        return True
    return {*people} <= {*corpus.manifest["speaker"].astype(str)}


def _part(
    loaded: Sequence[Loaded],
    corpus: str,
    test: EmotionDataset,
    validation: EmotionDataset | None,
    lacking: str = "",
) -> FoldModel:
    """Networks with their samples; validation people whom they know are none."""
    people = {*test.speakers, *(validation.speakers if validation is not None else ())}
    trained, learned = (
        {who for _, card in loaded for who in trained_on(card, corpus, people, choosing=choosing)}
        for choosing in (True, False)
    )
    if validation is not None and learned & set(validation.speakers):
        experiment = _run(loaded[0][1]).get("experiment") or {}
        meant = (experiment.get("data") or {}).get("validation") == "train"
        how = " (data.validation: train)" if meant else ""
        lacking = f"the validation people were trained on{how}"
    elif validation is not None and set(test.speakers) & set(validation.speakers):
        lacking = "people of the test are among the validation people"
    elif validation is not None and not len(validation):
        lacking = "the fold has no validation people"
    return FoldModel(
        tuple(network for network, _ in loaded),
        test,
        None if lacking else validation,
        lacking,
        frozenset(trained),
    )


def _side(loaded: Sequence[Loaded], data_module: DataModule, fold: int) -> FoldModel:
    test, validation = data_module.subset(fold, "test"), data_module.subset(fold, "validation")
    if not len(test):
        raise ConfigError(
            f"test by fold {fold} of {data_module.folds.name}",
            "this corpus has none of its test samples",
            "prepare them too, or name another fold with --folds and --fold",
        )
    return _part(loaded, str(data_module.provenance["corpus"]), test, validation)


def _require_unchanged(action: str, name: str, loaded: Sequence[Loaded], now: DataModule) -> None:
    """Refuse folds that are not those of the training any more."""
    before = {str(_run(card).get("folds_hash", now.folds.hash)) for _, card in loaded}
    if changed := before - {now.folds.hash}:
        raise ConfigError(
            f"{action} by its folds {name}",
            f"they have changed since its training ({changed.pop()}, now {now.folds.hash})",
            "restore them, or name others with --folds and --fold",
        )


def _changed_samples(loaded: Sequence[Loaded], now: str) -> str:
    """What to say where the samples are not byte for byte those of the training."""
    before = {str(_run(card).get("data_hash", now)) for _, card in loaded} - {now}
    return f"samples changed since the training (data {before.pop()}, now {now})" if before else ""


def _only(action: str, data_module: DataModule, fold: int | None) -> int:
    """The fold that is named, or the only one there is."""
    n = len(data_module.rows)
    if fold is None and n > 1:
        raise ConfigError(
            f"{action} by {data_module.folds.name}",
            f"it has {n} folds",
            "name one with --fold, from 0",
        )
    return fold or 0


def _told_by_people(
    corpus: PreparedCorpus, tests: Sequence[EmotionDataset]
) -> tuple[dict[str, Float], Float]:
    """Raters' votes on the test samples, where the corpus has them, and the corpus's own labels.

    See :class:`EvaluatedModel`. Votes for labels that the network does not name are one more column, where
    there are any. Where the number of raters is not known, votes are shares.
    """
    row_of = {sample: row for row, sample in enumerate(corpus.samples)}
    rows = [row_of[name] for samples in tests for name in samples.sample_ids]
    labels = tests[0].spec.labels
    out = {}
    for given in VOTE_SHARES:
        if given in corpus.meta["targets"]:
            every = corpus.targets(given)
            shares, whole = mapped_targets(every, corpus.target_names(given), labels)
            if not whole.all():  # votes for what the network does not name are votes all the same
                others = every.sum(1, keepdims=True) - shares.sum(1, keepdims=True)
                shares = np.concatenate((shares, np.maximum(others, 0)), 1)
            raters = corpus.manifest.get(f"raters_{given}")
            n = np.ones(len(shares)) if raters is None else raters.to_numpy(np.float64)
            out[given] = (shares.astype(np.float64) * n[:, None])[rows]
    own, _ = mapped_targets(corpus.targets("label"), corpus.target_names("label"), labels)
    return out, own.astype(np.float64)[rows]


def _checkpoints(path: Path, seed: int | None) -> tuple[list[Path], list[int]]:
    """The networks behind a path: one, or one for each fold that there is, with their numbers."""
    action = f"evaluate {path}"
    seeds = [int(one.name[4:]) for one in numbered(path, "seed")]
    if seed is not None and seed not in seeds:
        if seeds:
            found = f"no seed {seed}; there are {', '.join(map(str, seeds))}"
            raise ConfigError(action, found, "choose one of them")
        raise ConfigError(f"{action} with seed {seed}", "no folder of avtca cv", "leave --seed out")
    if not seeds:
        return [best_checkpoint(path)], []
    inside = path / f"seed{seeds[0] if seed is None else seed}"
    folders = numbered(inside, "fold")
    if unfinished := [one.name for one in folders if not (one / "done.json").exists()]:
        found = f"{', '.join(unfinished)} not finished"
        raise ConfigError(action, found, "run avtca cv to its end")
    if not folders:
        raise ConfigError(action, f"no folds in {inside.name}", "run avtca cv to its end")
    return [best_checkpoint(one) for one in folders], [int(one.name[4:]) for one in folders]


def _require_all(action: str, numbers: Sequence[int], folds: int | None) -> None:
    """Refuse a cross-validation with a fold that has not begun; a single network has no numbers."""
    if numbers and folds is None:
        raise ConfigError(action, "the cross-validation has not ended", "run avtca cv to its end")
    missing = sorted(set(range(folds or 0)) - set(numbers)) if numbers else []
    if missing:
        raise ConfigError(
            action,
            f"{len(numbers)} of {folds} folds are there, not {', '.join(map(str, missing))}",
            "run avtca cv to its end, or name the folder of one fold",
        )


def best_checkpoint(path: Path) -> Path:
    """The kept weights of a run's folder, or the path as it is."""
    if (path / "done.json").exists():
        kept: str = json.loads((path / "done.json").read_text())["kept"]
        return path / kept
    if (path / "best.json").exists():
        return path / "best"
    return path


def _leak(part: FoldModel, allow_leak: bool) -> str:
    """The mark for people of the test who were trained on; empty where there are none.

    Raises :class:`LeakError` unless leaks are allowed.
    """
    both = sorted(part.trained & set(part.test.speakers))
    if not both:
        return ""
    if not allow_leak:
        raise LeakError(
            "evaluate on people the network has not seen",
            f"{len(both)} speakers were trained on, the first is {both[0]}",
            "name folds that keep them apart, or say --allow-leak and carry the mark",
        )
    return f"LEAK (allowed): {len(both)} speakers of the test were trained on"
