"""Checkpoints: ``<name>.safetensors`` and ``<name>.json``, from which the network is rebuilt.

The JSON is a :class:`~avtca.model.config.Card`. Pickles are refused; ``avtca convert`` reads the
``.pth`` files of other projects.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from avtca.clipspec import ClipSpec, check_spec
from avtca.compat import upgrade, upgrade_parameter
from avtca.errors import AvtcaError, CheckpointError, ConfigError
from avtca.files import write_atomic
from avtca.model.avtca import build_model
from avtca.model.config import FORMAT_VERSION, Card, ModelConfig
from avtca.model.network import FusionNetwork
from avtca.model.own_network import code_hash
from avtca.plugins import is_own

PICKLES = (".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".tar", ".bin")
"""Suffixes of files that can run code when they are loaded."""

TEMPERATURES = 1e-3, 1e3
"""Smallest and largest temperature."""
MAX_LAYERS = 64


def save_checkpoint(
    path: str | Path,
    model: FusionNetwork,
    clip_spec: ClipSpec,
    *,
    calibration: dict[str, float] | None = None,
    provenance: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
) -> Card:
    """Write a checkpoint.

    Each file is moved into place when complete, the card last. The card holds the weights' hash,
    so that an interrupted save is detected.

    Args:
        path: Common path of the two files without suffix, or an existing folder, in which they
            are named ``model``.
        model: The network.
        clip_spec: The model input that it was trained on.
        calibration: See :class:`~avtca.model.config.Card`.
        provenance: See :class:`~avtca.model.config.Card`.
        metrics: See :class:`~avtca.model.config.Card`.

    Returns:
        The card as written.

    Raises:
        CheckpointError: If the network does not fit ``clip_spec``.
    """
    weights_path, card_path = pair_at(Path(path))
    if mismatches := model.config.mismatches(clip_spec):
        raise CheckpointError(
            f"save {weights_path}",
            f"the network does not fit its ClipSpec ({'; '.join(mismatches)})",
            "build it with ModelConfig.for_spec",
        )
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    blob = save(state)
    card = Card(
        variant=model.variant,
        config=model.config,
        clip_spec=clip_spec,
        provenance=provenance or {},
        metrics=metrics or {},
        weights_sha256=hashlib.sha256(blob).hexdigest(),
    )
    if calibration is not None:
        card = replace(card, calibration=calibration)
    text = json.dumps(card.to_dict(), indent=1, ensure_ascii=False) + "\n"
    weights_path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(weights_path, blob, sync=True)
    write_atomic(card_path, text, sync=True)
    return card


def load_checkpoint(
    path: str | Path, *, clip_spec: ClipSpec | None = None, device: str = "cpu"
) -> tuple[FusionNetwork, Card]:
    """Load a checkpoint.

    Args:
        path: Either file, their common path without suffix, or a folder with one checkpoint.
        clip_spec: If given, the checkpoint must be trained on this model input.
        device: A device of PyTorch.

    Returns:
        The network in evaluation mode, and its card.

    Raises:
        ClipSpecMismatch: If the card's ClipSpec differs from ``clip_spec``.
        CheckpointError: If the files are missing, damaged or do not belong together, or the class
            of a user's own network is missing or has changed.
    """
    weights_path, card_path = pair_at(Path(path), existing=True)
    card = read_card(card_path)
    action = f"load {weights_path}"
    if clip_spec is not None:
        card.clip_spec.require(clip_spec, action=action)
    try:
        blob_hash = hashlib.sha256(weights_path.read_bytes()).hexdigest()
        state = load_file(weights_path)
    except (SafetensorError, OSError) as error:
        line = str(error).splitlines()[0]
        raise CheckpointError(action, f"broken ({line})", "copy or train it again") from None
    model = _own_network(card, state, action) if is_own(card.variant) else None
    try:
        if model is None:
            state = {upgrade_parameter(name): value for name, value in state.items()}
            with torch.device("meta"):  # without memory, until the weights are known to fit
                shapes = build_model(card.variant, card.config).state_dict()
            _require_fit(shapes, state, action)
            model = build_model(card.variant, card.config)
    except CheckpointError:
        raise
    except (AvtcaError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        found = error.problem if isinstance(error, AvtcaError) else str(error)
        raise CheckpointError(
            action,
            f"this avtca cannot build its network ({found})",
            "install the version of avtca that saved it",
        ) from None
    model.load_state_dict(state)
    if card.weights_sha256 and blob_hash != card.weights_sha256:
        raise CheckpointError(
            action,
            f"it is not the file that {card_path.name} was written for (sha256 differs)",
            "copy both files of one save",
        )
    return model.to(torch.device(device)).eval(), card


def _own_network(card: Card, state: dict[str, torch.Tensor], action: str) -> FusionNetwork:
    """The network of a user's class, if it is the one that was trained."""
    changed = f"{card.variant} has changed since the training"
    fix = "restore the code that was trained, or train again"
    try:
        trained, here = card.provenance.get("network_code"), code_hash(card.variant)
        if trained and here and trained != here:
            raise CheckpointError(action, changed, fix)
        model = build_model(card.variant, card.config)
    except ConfigError as error:
        raise CheckpointError(action, error.problem, error.fix) from None
    try:
        _require_fit(model.state_dict(), state, action)
    except CheckpointError as error:
        raise CheckpointError(action, f"{changed}: {error.problem}", fix) from None
    return model


def read_card(path: str | Path) -> Card:
    """Read the card of a checkpoint.

    Raises:
        CheckpointError: If the file is missing, damaged or not a card.
    """
    path = Path(path)
    action = f"read {path}"
    try:
        values = upgrade(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CheckpointError(action, "it is missing", "copy or train it again") from None
    except (ValueError, OSError, RecursionError) as error:
        line = str(error).splitlines()[0]
        raise CheckpointError(action, f"not a card ({line})", "copy or train it again") from None
    version = values.get("format_version") if isinstance(values, dict) else None
    if version is None:
        raise CheckpointError(
            action, "JSON without format_version", "name a checkpoint that avtca saved"
        )
    if version != FORMAT_VERSION:
        raise CheckpointError(
            action,
            f"format version {version}, this avtca reads {FORMAT_VERSION}",
            "install the avtca that wrote it, or train again",
        )
    try:
        card = Card(
            variant=str(values["variant"]),
            config=ModelConfig.from_dict(values["config"]),
            clip_spec=ClipSpec.from_dict(values["clip_spec"]),
            calibration=dict(values.get("calibration", {"temperature": 1.0})),
            provenance=dict(values.get("provenance", {})),
            metrics=dict(values.get("metrics", {})),
            weights_sha256=str(values.get("weights_sha256", "")),
        )
        _check(card)
    except (KeyError, TypeError, ValueError, AvtcaError) as error:
        found = (
            error.problem if isinstance(error, AvtcaError) else f"{type(error).__name__}: {error}"
        )
        raise CheckpointError(action, f"broken card ({found})", "copy or train it again") from None
    if mismatches := card.config.mismatches(card.clip_spec):
        raise CheckpointError(
            action,
            f"made for another ClipSpec ({'; '.join(mismatches)})",
            "use the card that was saved with these weights",
        )
    if values.get("labels", list(card.labels)) != list(card.labels):
        found = "broken card (labels: not those of clip_spec)"
        raise CheckpointError(action, found, "copy or train it again")
    return card


def _check(card: Card) -> None:
    """Check the bounds of a card; ``ValueError`` in one line."""
    check_spec(card.clip_spec)
    temperature = card.calibration.get("temperature", 1.0)
    low, high = TEMPERATURES
    if type(temperature) not in (int, float) or not low <= temperature <= high:
        raise ValueError(f"calibration.temperature: {temperature!r} is not {low} to {high}")
    for name in ("video_widths", "audio_widths"):
        if len(getattr(card.config, name)) > MAX_LAYERS:
            raise ValueError(f"config.{name}: more than {MAX_LAYERS} layers")
    if sum(card.config.trunk.get("units", ())) > MAX_LAYERS:
        raise ValueError(f"config.trunk.units: more than {MAX_LAYERS} layers")


def pair_at(path: Path, *, existing: bool = False) -> tuple[Path, Path]:
    """The paths of the weights and the card of a checkpoint.

    Args:
        path: Either file, their common path without suffix, or a folder: the checkpoint
            ``model`` in it, or with ``existing`` the only one.
        existing: Whether both files must exist.

    Raises:
        CheckpointError: If a file is missing, or ``path`` is a pickle.
    """
    action = f"load {path}"
    if path.suffix.lower() in PICKLES:
        raise CheckpointError(
            action,
            "a pickle, which can run code when it is opened",
            "turn foreign weights into a checkpoint with: avtca convert",
        )
    if path.suffix in (".safetensors", ".json"):
        stem = path.with_suffix("")
    elif path.is_dir():
        stem = path / "model"
        names = sorted(p.stem for p in path.glob("*.safetensors"))
        if existing and "model" not in names:
            if len(names) != 1:
                found = f"{len(names)} .safetensors files there ({', '.join(names[:5]) or 'none'})"
                raise CheckpointError(action, found, "name one of the files")
            stem = path / names[0]
    else:
        stem = path
    weights, card = (stem.with_name(stem.name + end) for end in (".safetensors", ".json"))
    if existing:
        if not weights.is_file() and not card.is_file():
            raise CheckpointError(
                action, "no such file or folder", "name a checkpoint, or the folder that holds it"
            )
        for file in (weights, card):
            if not file.is_file():
                raise CheckpointError(
                    action,
                    f"{file.name} is missing",
                    "keep the .safetensors and its .json together",
                )
    return weights, card


def _require_fit(
    wanted: dict[str, torch.Tensor], state: dict[str, torch.Tensor], action: str
) -> None:
    """Check the shapes of all parameters, and that they are numbers; the error names the first."""
    wrong = [
        f"{name} {tuple(state[name].shape)} for {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    missing, unknown = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    for problem, names in (("other shapes", wrong), ("missing", missing), ("unknown", unknown)):
        if names:
            listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            raise CheckpointError(
                action,
                f"the weights are not those of its card ({problem}: {listed})",
                "copy both files of one save",
            )
    for name, values in state.items():
        if not torch.isfinite(values).all():
            raise CheckpointError(
                action, f"{name} has values that are not numbers", "copy or train it again"
            )
