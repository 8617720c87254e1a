"""Weights of one network in another: the same boxes, and outputs by the names of labels."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from avtca.data.caveats import joined
from avtca.data.data_module import DataModule
from avtca.errors import ConfigError, LeakError
from avtca.model import build_model, load_checkpoint
from avtca.model.avtca import AVTCA
from avtca.model.config import Card
from avtca.model.lineage import lineage_text, trained_on, training_speakers, unchecked


def copy_weights(
    network: AVTCA, labels: Sequence[str], other: AVTCA, others_labels: Sequence[str]
) -> int:
    """Copy what fits from ``other`` into ``network``, in place; how many tensors were taken.

    Tensors of the same name and shape are copied. Of layers with a row for each label, the rows
    of labels that both name; a row means nothing without its label.
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


def init_weights(network: AVTCA, labels: Sequence[str], path: Path) -> dict[str, Any]:
    """Copy weights from a checkpoint, in place; see :func:`copy_weights`.

    Returns what was taken, of which weights and whose samples are behind them, for the record.
    Raises :class:`ConfigError` where nothing fits.
    """
    other, card = load_checkpoint(path)
    taken = copy_weights(network, labels, other, card.labels)
    if not taken:
        raise ConfigError(
            f"start from {path}",
            f"none of its weights fits the variant {network.variant}",
            "start from a checkpoint with the same boxes",
        )
    return {
        "init_from": {
            "taken": taken,
            "of": len(network.state_dict()),
            "weights_sha256": card.weights_sha256,
            "clip_spec_hash": card.clip_spec.hash,
            "speakers": training_speakers(card),
            "data": lineage_text(card),
        }
    }


def check_init_leakage(
    data_module: DataModule,
    card: Card,
    start: str,
    folds: Iterable[int],
    allow_leak: bool,
    fix: str,
) -> DataModule:
    """The same with a mark for people tested in ``folds`` who are behind the weights to start from.

    Raises :class:`LeakError` unless leaks are allowed; ``fix`` says how they are.
    """
    tested = {s for fold in folds for s in data_module.subset(fold, "test").speakers}
    corpus = str(data_module.provenance["corpus"])
    seen = sorted(trained_on(card, corpus, tested))
    if seen and not allow_leak:
        raise LeakError(
            f"start from {start}",
            f"{len(seen)} speakers of the test had a part in its weights, the first is {seen[0]}",
            f"start from weights that have not seen them, or {fix}",
        )
    leak = f"LEAK (allowed): {len(seen)} speakers of the test had a part in the start's weights"
    nameless = unchecked(card, corpus)
    told = (leak if seen else "", f"the start: {nameless}" if nameless else "")
    if not any(told):
        return data_module
    caveats = joined(("" if data_module.caveat == "clean" else data_module.caveat, *told))
    return replace(
        data_module, caveat=caveats, provenance={**data_module.provenance, "split_audit": caveats}
    )
