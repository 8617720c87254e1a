"""Exported models: a folder with ONNX networks and ``avtca.json``, which describes them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.compat import upgrade
from avtca.errors import CheckpointError

PACKAGED = Path(__file__).resolve().parents[1] / "weights"
"""Folder of the model that is installed with avtca."""
DEFAULT_MODEL = "default"
"""Name of the packaged model."""
PAPER_MODEL = "avt-ca"
"""Name of the packaged network of the paper, and of its folder."""
CARD_FILE = "avtca.json"
MAX_CARD_BYTES = 2**24
BUNDLE_FORMAT = 1
"""Version of the folder's format that this avtca reads."""


@dataclass(frozen=True)
class Bundle:
    """An exported model.

    Attributes:
        folder: Where its files are.
        card: The contents of ``avtca.json``: file names, ClipSpec, calibration, provenance.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def spec(self) -> ClipSpec:
        """The model input that the fusion network was trained on."""
        return ClipSpec.from_dict(self.card["clip_spec"])

    @property
    def name(self) -> str:
        """Name and version, with the first digits of the weights' hash."""
        return f"{self.card['name']} ({self.card['weights_sha256'][:12]})"


def model_path(model: str | Path) -> Path:
    """The path of a model given by path, or by name: "default" or "avt-ca"."""
    if str(model) == PAPER_MODEL:
        return PACKAGED / PAPER_MODEL
    return PACKAGED if str(model) == DEFAULT_MODEL else Path(model)


def read_bundle(folder: Path = PACKAGED) -> Bundle:
    """Read the card of an exported model and check its files against their hash.

    Raises:
        CheckpointError: If the card or a file is missing, damaged or of another format version.
    """
    action = f"load the model in {folder}"
    path = folder / CARD_FILE
    if not path.is_file():
        raise CheckpointError(action, f"no {CARD_FILE} there", "name a folder that avtca exported")
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ValueError(f"over {MAX_CARD_BYTES} bytes")
        card = upgrade(json.loads(path.read_text(encoding="utf-8")))
        version = card["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        found = f"{CARD_FILE} is broken ({error})"
        raise CheckpointError(action, found, "export it again") from None
    if version != BUNDLE_FORMAT:
        found = f"format {version}, this avtca reads {BUNDLE_FORMAT}"
        raise CheckpointError(action, found, "install the avtca that made it")
    try:
        if folder not in (PACKAGED, PACKAGED / PAPER_MODEL):
            from avtca.runtime.card import check_card  # pydantic takes 0.1 s to import

            check_card(card)
    except ValueError as error:
        found = f"{CARD_FILE} is broken ({error})"
        raise CheckpointError(action, found, "export it again") from None
    digest = hashlib.sha256()
    for name in sorted(card["files"].values()):
        if not (folder / name).is_file():
            raise CheckpointError(action, f"{name} is missing", "export it again")
        digest.update((folder / name).read_bytes())
    if digest.hexdigest() != card["weights_sha256"]:
        raise CheckpointError(action, "the files are not those the card names", "export it again")
    return Bundle(folder, card)


def thresholds_of(calibration: Mapping[str, Any]) -> dict[str, float]:
    """Confidence above which a prediction counts as confident, by the modalities it is based on.

    Args:
        calibration: A card's ``calibration``. Its ``sure`` maps "both", "face" and "voice" to
            thresholds, any of which may be missing or ``None``; older cards hold one number,
            measured with both modalities.

    Returns:
        The thresholds that were measured.
    """
    sure = calibration.get("sure")
    by_modality = sure if isinstance(sure, Mapping) else {"both": sure}
    values = {name: by_modality.get(name) for name in ("both", "face", "voice")}
    return {name: float(x) for name, x in values.items() if x is not None}


def training_files_of(provenance: Mapping[str, Any]) -> frozenset[str]:
    """Hashes of the media files that a model was trained on, see ``Backend.training_files``.

    Args:
        provenance: A card's ``provenance``.
    """
    found = provenance.get("training_files")
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()
