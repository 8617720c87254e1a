"""Open anything that ``avtca evaluate`` takes, together with the data that it is tested on.

An exported model is evaluated as it recognises, face network and temperature included, with one
difference: as in every evaluation, the audio of a window without speech is not masked.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from avtca.corpora import PreparedCorpus, build_cache
from avtca.corpora.folder import index_folder
from avtca.corpora.index import SampleSource
from avtca.corpora.leakage import speaker_warnings
from avtca.data.caveats import NORMALISED, WHOLE_CORPUS, Caveat, CaveatKind, manifest_caveats
from avtca.data.data_module import DataModule, open_data_module
from avtca.data.dataset import VOTE_SHARES, EmotionDataset, from_corpus, mapped_targets
from avtca.errors import ConfigError, CorpusError
from avtca.evaluation.cached_faces import CachedFaces
from avtca.evaluation.evaluated_model import EvaluatedModel, Float, FoldModel
from avtca.evaluation.inference import resolve_device
from avtca.evaluation.leakage import check_leakage, leakage_caveats, unchecked_caveats
from avtca.evaluation.remarks import held_out_place, unpredicted_labels
from avtca.evaluation.report import SplitInfo
from avtca.evaluation.run_folders import n_folds, require_all_folds, run_checkpoints, run_name
from avtca.model import Card, load_checkpoint
from avtca.model.checkpoint import read_card
from avtca.model.config import OUTPUT_OF_LOSS
from avtca.model.lineage import trained_on, training_speakers
from avtca.model.network import FusionNetwork
from avtca.progress import ProgressHook, no_progress
from avtca.runtime.backends import OnnxBackend
from avtca.runtime.bundle import CARD_FILE, Bundle, read_bundle

NO_VALIDATION = "an exported model has its temperature, and no other speakers to fit on"
Loaded = Sequence[tuple[FusionNetwork, Card]]
"""Networks with their cards."""


def open_model(
    path: Path,
    data: Path,
    clips: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    allow_leak: bool = False,
    tier: str | None = None,
    device: str = "cpu",
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> EvaluatedModel:
    """Open an exported model or trained networks with the data to test them on.

    Args:
        path: Folder of an exported model, a checkpoint, a run or a cross-validation.
        data: A prepared corpus. For an exported model it is prepared with the model's ClipSpec
            (``avtca prepare --spec``), or labelled clips: a CSV, folders named by label, or EAF
            files.
        clips: Folder for the decoded clips, decoded once; each source has its own inside.
        folds: Folds to test on; by default those of the training.
        fold: Which of ``folds``.
        seed: Which seed of a cross-validation; by default the first.
        allow_leak: Test on training speakers all the same, with a caveat.
        tier: Tier of EAF files with the labels.
        device: "auto", "cpu" or "cuda"; an exported model has no "cuda".
        workers: Processes that decode clips; 0 for none.
        progress: Called while clips are decoded.

    Raises:
        AvtcaError: As :func:`open_trained_model` and :func:`open_exported_model` do.
    """
    if not (path / CARD_FILE).is_file():
        return open_trained_model(
            path, data, folds=folds, fold=fold, seed=seed, allow_leak=allow_leak, device=device
        )
    action = f"evaluate {path}"
    if folds is not None or fold is not None or seed is not None:
        fix = "leave --folds, --fold and --seed out"
        raise ConfigError(action, "an exported model has no folds", fix)
    if device not in ("auto", "cpu"):
        raise ConfigError(action, f"it cannot run on the device {device}", "leave --device out")
    return open_exported_model(
        path, data, clips, allow_leak=allow_leak, tier=tier, workers=workers, progress=progress
    )


def open_exported_model(
    path: Path,
    data: Path,
    clips: Path,
    *,
    allow_leak: bool = False,
    tier: str | None = None,
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> EvaluatedModel:
    """Open an exported model with all of ``data`` as test data.

    Clips with labels that the model does not predict, and clips with neither a face nor speech,
    are left out, with a caveat.

    Args: As :func:`open_model`.

    Raises:
        LeakError: If the model was trained on this corpus or these speakers, unless
            ``allow_leak``.
        ClipSpecMismatch: If the corpus is prepared with another ClipSpec.
        CorpusError: If no clip remains.
    """
    bundle = read_bundle(path)
    backend = CachedFaces(OnnxBackend(bundle))
    media = backend.spec.of_media(backend.crop_px, backend.colour)
    failures: tuple[str, ...] = ()
    notes: list[str] = []
    sources: dict[str, SampleSource] = {}
    problems: tuple[str, ...] = ()
    if not (data / "corpus.json").is_file():
        index = index_folder(data, media, tier)
        source = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
        data = clips / media.hash / source
        summary = build_cache(index, data, media, lossless=True, workers=workers, progress=progress)
        failures = tuple(f"{sample}: {why}" for sample, _, why in summary.failures)
        problems = index.problems
        sources = {source.sample_id: source for source in index.sources}
    corpus = PreparedCorpus.open(data)
    corpus = corpus.view(backend.spec if corpus.spec.video == "features" else media)
    dataset = from_corpus(corpus, bundle.spec.labels)
    notes += unpredicted_labels(corpus, dataset)
    manifest = corpus.manifest.set_index("sample_id").loc[list(dataset.sample_ids)]
    empty = (manifest["face_coverage"] == 0) & (manifest["voice_coverage"] == 0)
    if n := int(empty.sum()):
        notes.append(f"{n} clips with neither a face nor speech are left out")
        dataset = dataset.subset(np.flatnonzero(~empty))
    if problems:
        notes.append(f"{len(problems)} files or annotations could not be used")
    if failures:
        notes.append(f"{len(failures)} clips could not be decoded, see {data / 'failures.csv'}")
    if not corpus.meta["lossless"]:
        notes.append("crops and audio were compressed (avtca prepare --lossless keeps them)")
    if not len(dataset):
        problem = "no clip has a face or speech"
        raise CorpusError(f"evaluate on {corpus.path}", problem, "give other clips")
    card = _card(bundle)
    known = trained_on(card, corpus.name, {*dataset.speakers})
    caveats = [
        WHOLE_CORPUS,
        *leakage_caveats(
            card,
            corpus.name,
            dataset.speakers,
            action=f"evaluate on unseen speakers of {corpus.name}",
            fix="give clips of other speakers, "
            f"{held_out_place(path)}or pass --allow-leak and report the caveat",
            allow_leak=allow_leak,
            model="the model",
        ),
        *manifest_caveats(speaker_warnings(corpus.manifest)),
        *(Caveat(CaveatKind.NOTE, note) for note in notes),
    ]
    return EvaluatedModel(
        name=bundle.name,
        folds=(FoldModel((backend,), dataset, None, NO_VALIDATION, frozenset(known)),),
        card=card,
        split=SplitInfo.of(
            caveats,
            corpus=corpus.name,
            data_hash=corpus.data_hash,
            failed=len(failures) + len(problems),
        ),
        sources=sources,
        failures=(*problems, *failures),
    )


def _card(bundle: Bundle) -> Card:
    """The card of the exported model, with the sizes of the network in it."""
    name = bundle.card.get("checkpoint", {}).get("name", "fusion")
    return replace(
        read_card(bundle.folder / f"{name}.json"),
        clip_spec=bundle.spec,
        calibration=bundle.card["calibration"],
        provenance=bundle.card["provenance"],
        weights_sha256=bundle.card["weights_sha256"],
    )


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

    Args: As :func:`open_model`; ``corpus`` is a prepared corpus.

    Raises:
        LeakError: If test speakers were in the training data, unless ``allow_leak``.
        ClipSpecMismatch: If the corpus is prepared with another ClipSpec.
        ConfigError: If the folds have changed since the training, one of several is not named, a
            seed or fold of the cross-validation is missing, or the device is not there.
    """
    action = f"evaluate {path}"
    if fold is not None and folds is None:
        fix = "add --folds, or name the folder of that fold's training"
        raise ConfigError(f"{action} on fold {fold}", "no folds are named", fix)
    checkpoints, numbers = run_checkpoints(path, seed)
    at = resolve_device(device)
    loaded = [load_checkpoint(checkpoint, device=at) for checkpoint in checkpoints]
    first = loaded[0][1]
    run = _run(first)
    prepared = PreparedCorpus.open(corpus).view(first.clip_spec)
    same = _same_corpus(first, prepared)
    choice: dict[str, Any] = {
        "target": run.get("target", "label") if same else "label",
        "where": run.get("where") if same else None,
        "normalise": run.get("normalise", "none"),
    }
    caveats: list[Caveat] = []
    if name := folds or (run.get("folds") if same else None):
        data_module = open_data_module(
            prepared, folds=name, labels=first.labels, allow_leak=allow_leak, **choice
        )
        provenance, n = data_module.provenance, len(data_module.rows)
        caveats += data_module.caveats
        if folds is None:
            caveats += _changes(action, loaded, data_module)
        hashes = {_run(card).get("folds_hash") for _, card in loaded}
        own = folds is None or (same and fold is None and hashes == {data_module.folds.hash})
        require_all_folds(action, numbers, n if own else n_folds(path))
        if own:
            models = [
                _on_fold([one], data_module, int(_run(one[1]).get("fold", 0))) for one in loaded
            ]
        elif fold is None and n > 1:
            raise ConfigError(
                f"{action} by {data_module.folds.name}",
                f"it has {n} folds",
                "name one with --fold, from 0",
            )
        else:
            models = [_on_fold(loaded, data_module, fold or 0)]
    else:
        require_all_folds(action, numbers, n_folds(path))
        samples = from_corpus(prepared, first.labels, **choice)
        if choice["target"] == "label" and not choice["where"]:
            notes = unpredicted_labels(prepared, samples)
            caveats += [Caveat(CaveatKind.NOTE, note) for note in notes]
        models = [_fold_model(loaded, prepared.name, samples, None)]
        provenance = {"corpus": prepared.name, "data_hash": prepared.data_hash, **choice}
        caveats += [WHOLE_CORPUS, *unchecked_caveats(first, prepared.name)]
        caveats += manifest_caveats(speaker_warnings(prepared.manifest))
    if choice["normalise"] == "speaker":
        caveats.append(NORMALISED)
    for model in models:
        caveats += check_leakage(
            model.training_speakers,
            model.test.speakers,
            action="evaluate on unseen speakers",
            fix="name folds that keep speakers apart, "
            f"{held_out_place(path)}or pass --allow-leak and report the caveat",
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


def _changes(action: str, loaded: Loaded, now: DataModule) -> list[Caveat]:
    """The caveat of samples that have changed since the training; changed folds are refused."""
    folds_hash, data_hash = now.provenance["folds_hash"], now.provenance["data_hash"]
    caveats = []
    for _, card in loaded:
        run = _run(card)
        if (old := run.get("folds_hash", folds_hash)) != folds_hash:
            raise ConfigError(
                f"{action} by its folds {now.provenance['folds']}",
                f"they have changed since its training ({old}, now {folds_hash})",
                "restore them, or name others with --folds and --fold",
            )
        if (old := run.get("data_hash", data_hash)) != data_hash:
            text = f"samples changed since the training (data {old}, now {data_hash})"
            caveats.append(Caveat(CaveatKind.CHANGED, text))
    return caveats


def _on_fold(loaded: Loaded, data_module: DataModule, fold: int) -> FoldModel:
    test, validation = data_module.subset(fold, "test"), data_module.subset(fold, "validation")
    if not len(test):
        raise ConfigError(
            f"test by fold {fold} of {data_module.folds.name}",
            "this corpus has none of its test samples",
            "prepare them too, or name another fold with --folds and --fold",
        )
    return _fold_model(loaded, str(data_module.provenance["corpus"]), test, validation)


def _fold_model(
    loaded: Loaded, corpus: str, test: EmotionDataset, validation: EmotionDataset | None
) -> FoldModel:
    """Networks with their samples; validation speakers that they have seen are dropped."""
    speakers = {*test.speakers, *(validation.speakers if validation is not None else ())}
    known, learned = (
        frozenset[str]().union(
            *(trained_on(card, corpus, speakers, include_validation=chose) for _, card in loaded)
        )
        for chose in (True, False)
    )
    missing = ""
    if validation is None:
        missing = "no folds are named"
    elif learned & set(validation.speakers):
        experiment = _run(loaded[0][1]).get("experiment") or {}
        meant = (experiment.get("data") or {}).get("validation") == "train"
        how = " (data.validation: train)" if meant else ""
        missing = f"the validation speakers were trained on{how}"
    elif set(test.speakers) & set(validation.speakers):
        missing = "some test speakers are validation speakers too"
    elif not len(validation):
        missing = "the fold has no validation speakers"
    networks = tuple(network for network, _ in loaded)
    return FoldModel(networks, test, None if missing else validation, missing, known)


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
