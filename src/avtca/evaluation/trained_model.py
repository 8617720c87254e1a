"""Trained networks (a checkpoint, a run or a cross-validation) with their test data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.leakage import speaker_warnings
from avtca.data.caveats import NORMALISED, WHOLE_CORPUS, Caveat, CaveatKind, manifest_caveats
from avtca.data.data_module import DataModule, open_data_module
from avtca.data.dataset import VOTE_SHARES, EmotionDataset, from_corpus, mapped_targets
from avtca.errors import ConfigError
from avtca.evaluation.evaluated_model import EvaluatedModel, Float, FoldModel
from avtca.evaluation.inference import resolve_device
from avtca.evaluation.leakage import check_leakage, unchecked_caveats
from avtca.evaluation.report import SplitInfo
from avtca.evaluation.run_folders import n_folds, require_all_folds, run_checkpoints, run_name
from avtca.model import Card, load_checkpoint
from avtca.model.avtca import AVTCA
from avtca.model.config import OUTPUT_OF_LOSS
from avtca.model.lineage import trained_on, training_speakers

Loaded = tuple[AVTCA, Card]


def open_trained_model(
    path: Path,
    corpus: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    allow_leak: bool = False,
    device: str = "cpu",
) -> EvaluatedModel:
    """Open trained networks with the samples to test them on.

    A run records its folds: it is tested on the test speakers of its own fold, a cross-validation
    on those of all folds. On other folds, and on a corpus for which there are none, the networks
    of a cross-validation form an ensemble.

    Args: As :func:`~avtca.evaluation.open_model.open_model`; ``corpus`` is a prepared corpus.

    Raises:
        LeakError: If test speakers were in the training data, unless ``allow_leak``.
        ClipSpecMismatch: If the corpus is prepared with another ClipSpec.
        ConfigError: If the folds have changed since the training, one of several is not named, a
            seed or fold of the cross-validation is missing, or the device is not there.
    """
    action = f"evaluate {path}"
    if fold is not None and folds is None:
        raise ConfigError(
            f"{action} on fold {fold}",
            "no folds are named",
            "add --folds, or name the folder of that fold's training",
        )
    checkpoints, numbers = run_checkpoints(path, seed)
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
    caveats: list[Caveat] = []
    if name is None:
        require_all_folds(action, numbers, n_folds(path))
        samples = from_corpus(prepared, first.labels, **choice)
        models = [_fold_model(loaded, prepared.name, samples, None, "no folds are named")]
        provenance = {"corpus": prepared.name, "data_hash": prepared.data_hash, **choice}
        caveats += [WHOLE_CORPUS, *unchecked_caveats(first, prepared.name)]
        caveats += manifest_caveats(speaker_warnings(prepared.manifest))
    else:
        data_module = open_data_module(
            prepared, folds=name, labels=first.labels, allow_leak=allow_leak, **choice
        )
        provenance = data_module.provenance
        caveats += data_module.caveats
        if folds is None:
            _require_unchanged(action, name, loaded, data_module)
            caveats += _changed_samples(loaded, prepared.data_hash)
        again = same and {_run(card).get("folds_hash") for _, card in loaded}
        if folds is None or (fold is None and again == {data_module.folds.hash}):
            require_all_folds(action, numbers, len(data_module.rows))
            models = [
                _on_fold([one], data_module, int(_run(one[1]).get("fold", 0))) for one in loaded
            ]
        else:
            require_all_folds(action, numbers, n_folds(path))
            models = [_on_fold(loaded, data_module, _only(action, data_module, fold))]
    if choice["normalise"] == "speaker":
        caveats.append(NORMALISED)
    for model in models:
        caveats += check_leakage(
            model.training_speakers,
            model.test.speakers,
            action="evaluate on unseen speakers",
            fix="name folds that keep speakers apart, or pass --allow-leak and report the caveat",
            allow_leak=allow_leak,
        )
    votes, intended = _votes_and_labels(prepared, [model.test for model in models])
    loss = first.provenance.get("train_config", {}).get("loss", "cross_entropy")
    return EvaluatedModel(
        name=run_name(path),
        folds=tuple(models),
        card=first,
        split=SplitInfo.of(caveats, **provenance),
        output=OUTPUT_OF_LOSS[loss],
        votes=votes,
        intended=intended,
    )


def _run(card: Card) -> dict[str, Any]:
    """The data that a network's training read."""
    return dict(card.provenance.get("provenance") or {})


def _same_corpus(card: Card, corpus: PreparedCorpus) -> bool:
    """Whether a network was trained on this corpus.

    All folders of recordings are called "folder"; one is the same corpus where it has the same
    samples, or all training speakers.
    """
    run = _run(card)
    if run.get("corpus") != corpus.name:
        return False
    speakers = training_speakers(card).get(corpus.name, ())
    if corpus.name != "folder" or run.get("data_hash") == corpus.data_hash:
        return True
    return {*speakers} <= {*corpus.manifest["speaker"].astype(str)}


def _fold_model(
    loaded: Sequence[Loaded],
    corpus: str,
    test: EmotionDataset,
    validation: EmotionDataset | None,
    missing: str = "",
) -> FoldModel:
    """Networks with their samples; validation speakers that they have seen are dropped."""
    speakers = {*test.speakers, *(validation.speakers if validation is not None else ())}
    known, learned = (
        frozenset[str]().union(
            *(trained_on(card, corpus, speakers, include_validation=chose) for _, card in loaded)
        )
        for chose in (True, False)
    )
    if validation is not None and learned & set(validation.speakers):
        experiment = _run(loaded[0][1]).get("experiment") or {}
        meant = (experiment.get("data") or {}).get("validation") == "train"
        how = " (data.validation: train)" if meant else ""
        missing = f"the validation speakers were trained on{how}"
    elif validation is not None and set(test.speakers) & set(validation.speakers):
        missing = "some test speakers are validation speakers too"
    elif validation is not None and not len(validation):
        missing = "the fold has no validation speakers"
    return FoldModel(
        tuple(network for network, _ in loaded),
        test,
        None if missing else validation,
        missing,
        known,
    )


def _on_fold(loaded: Sequence[Loaded], data_module: DataModule, fold: int) -> FoldModel:
    test, validation = data_module.subset(fold, "test"), data_module.subset(fold, "validation")
    if not len(test):
        raise ConfigError(
            f"test by fold {fold} of {data_module.folds.name}",
            "this corpus has none of its test samples",
            "prepare them too, or name another fold with --folds and --fold",
        )
    return _fold_model(loaded, str(data_module.provenance["corpus"]), test, validation)


def _require_unchanged(action: str, name: str, loaded: Sequence[Loaded], now: DataModule) -> None:
    """Refuse folds that have changed since the training."""
    before = {str(_run(card).get("folds_hash", now.folds.hash)) for _, card in loaded}
    if changed := before - {now.folds.hash}:
        raise ConfigError(
            f"{action} by its folds {name}",
            f"they have changed since its training ({changed.pop()}, now {now.folds.hash})",
            "restore them, or name others with --folds and --fold",
        )


def _changed_samples(loaded: Sequence[Loaded], now: str) -> list[Caveat]:
    """The caveat that the samples are not byte for byte those of the training."""
    before = {str(_run(card).get("data_hash", now)) for _, card in loaded} - {now}
    if not before:
        return []
    text = f"samples changed since the training (data {before.pop()}, now {now})"
    return [Caveat(CaveatKind.CHANGED, text)]


def _only(action: str, data_module: DataModule, fold: int | None) -> int:
    """The named fold, or the only one."""
    n = len(data_module.rows)
    if fold is None and n > 1:
        raise ConfigError(
            f"{action} by {data_module.folds.name}",
            f"it has {n} folds",
            "name one with --fold, from 0",
        )
    return fold or 0


def _votes_and_labels(
    corpus: PreparedCorpus, tests: Sequence[EmotionDataset]
) -> tuple[dict[str, Float], Float]:
    """Raters' votes on the test samples, if the corpus has them, and the corpus's own labels.

    See :class:`EvaluatedModel`. Votes for labels that the network does not predict form one more
    column. Where the number of raters is not known, votes are shares.
    """
    row_of = {sample: row for row, sample in enumerate(corpus.samples)}
    rows = [row_of[name] for samples in tests for name in samples.sample_ids]
    labels = tests[0].spec.labels
    out = {}
    for given in VOTE_SHARES:
        if given in corpus.meta["targets"]:
            every = corpus.targets(given)
            shares, whole = mapped_targets(every, corpus.target_names(given), labels)
            if not whole.all():
                others = every.sum(1, keepdims=True) - shares.sum(1, keepdims=True)
                shares = np.concatenate((shares, np.maximum(others, 0)), 1)
            raters = corpus.manifest.get(f"raters_{given}")
            n = np.ones(len(shares)) if raters is None else raters.to_numpy(np.float64)
            out[given] = (shares.astype(np.float64) * n[:, None])[rows]
    own, _ = mapped_targets(corpus.targets("label"), corpus.target_names("label"), labels)
    return out, own.astype(np.float64)[rows]
