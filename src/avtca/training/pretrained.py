"""Initialisation of a network from a checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from avtca.data.caveats import caveat_text, unique
from avtca.data.data_module import DataModule
from avtca.errors import ConfigError
from avtca.evaluation.leakage import leakage_caveats
from avtca.model import build_model, load_checkpoint
from avtca.model.config import Card
from avtca.model.lineage import lineage_text, training_corpora, training_speakers
from avtca.model.network import FusionNetwork


def copy_weights(
    network: FusionNetwork,
    labels: Sequence[str],
    other: FusionNetwork,
    others_labels: Sequence[str],
) -> int:
    """Copy the weights of another network that fit, in place.

    Tensors of the same name and shape are copied; of layers with a row for each label, the rows of
    common labels.

    Args:
        network: The network to initialise.
        labels: Its labels.
        other: The network to copy from.
        others_labels: The labels of that one.

    Returns:
        Number of tensors copied.
    """
    more = replace(network.config, n_labels=network.config.n_labels + 1)
    wider = build_model(network.variant, more).state_dict()
    state, taken = network.state_dict(), 0
    for name, value in other.state_dict().items():
        mine = state.get(name)
        if mine is None:
            continue
        if wider[name].shape == mine.shape:
            fits = mine.shape == value.shape
            state[name] = value if fits else mine
        else:
            shared = [label for label in labels if label in others_labels]
            fits = bool(shared) and mine.shape[1:] == value.shape[1:]
            for label in shared if fits else ():
                mine[labels.index(label)] = value[others_labels.index(label)]
        taken += fits
    network.load_state_dict(state)
    return taken


def init_weights(network: FusionNetwork, labels: Sequence[str], path: Path) -> dict[str, Any]:
    """Initialise a network from a checkpoint, in place; see :func:`copy_weights`.

    Args:
        network: The network to initialise.
        labels: Its labels.
        path: The checkpoint.

    Returns:
        Under "init_from", for the record of the run: the number of tensors copied, the hash of the
        weights, and the speakers and data that they were trained on.

    Raises:
        ConfigError: No tensor fits.
    """
    other, card = load_checkpoint(path)
    taken = copy_weights(network, labels, other, card.labels)
    if not taken:
        raise ConfigError(
            f"initialise from {path}",
            f"none of its weights fits the variant {network.variant}",
            "choose a checkpoint of a network with the same modules",
        )
    corpora = training_corpora(card)
    return {
        "init_from": {
            "taken": taken,
            "of": len(network.state_dict()),
            "weights_sha256": card.weights_sha256,
            "clip_spec_hash": card.clip_spec.hash,
            "speakers": training_speakers(card),
            "data": lineage_text(card),
            **({"corpora": corpora} if corpora else {}),
        }
    }


def check_init_leakage(
    data_module: DataModule,
    card: Card,
    init_from: str,
    folds: Iterable[int],
    allow_leak: bool,
    fix: str,
) -> DataModule:
    """Check that no test speaker of ``folds`` had a part in the weights of the initial checkpoint.

    Args:
        data_module: The samples and their folds.
        card: Card of the initial checkpoint.
        init_from: Its name, for the error.
        folds: The folds that are tested.
        allow_leak: Return a caveat in place of raising.
        fix: How a leak is allowed, for the error.

    Returns:
        The data module, with the caveats of the initial checkpoint.

    Raises:
        LeakError: If a test speaker had a part in the weights, unless ``allow_leak``.
    """
    tested = {s for fold in folds for s in data_module.subset(fold, "test").speakers}
    found = leakage_caveats(
        card,
        str(data_module.provenance["corpus"]),
        tested,
        action=f"start from {init_from}",
        fix=f"start from weights that have not seen them, or {fix}",
        allow_leak=allow_leak,
        model="the initial checkpoint",
    )
    if not found:
        return data_module
    caveats = unique((*data_module.caveats, *found))
    provenance = {**data_module.provenance, "split_audit": caveat_text(caveats)}
    return replace(data_module, caveats=caveats, provenance=provenance)
