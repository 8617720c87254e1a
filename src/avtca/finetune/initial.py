"""The initial model of a fine-tuning: trainable weights and the matching face network."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.errors import CheckpointError
from avtca.model import Card, load_checkpoint
from avtca.model.network import FusionNetwork
from avtca.run_dir import best_checkpoint
from avtca.runtime.backends import Backend, OnnxBackend, TorchBackend
from avtca.runtime.bundle import PACKAGED, model_path, read_bundle
from avtca.training.pretrained import copy_weights
from avtca.training.trainer import new_network


@dataclass(frozen=True)
class InitialModel:
    """A trainable network, its card, and the backend that encodes faces for it."""

    name: str
    network: FusionNetwork
    card: Card
    backend: Backend
    face_file: Path | None
    """The face network of the backend; ``None`` if the network reads face crops."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the network."""
        return self.card.labels

    @property
    def predicted_labels(self) -> tuple[str, ...]:
        """Labels that the model predicts; may be fewer than those of the network, with sums."""
        return self.backend.spec.labels

    @property
    def clips_spec(self) -> ClipSpec:
        """How clips are decoded for it: face crops for the backend, and audio."""
        return self.card.clip_spec.of_media(self.backend.crop_px, self.backend.colour)


def load_initial_model(text: str) -> InitialModel:
    """Load the initial model of a fine-tuning.

    Args:
        text: "default", "avt-ca", the folder of an exported model, or a checkpoint or run of
            ``avtca train``.

    Raises:
        CheckpointError: There are no trainable weights, or they cannot be used on clips.
    """
    path = model_path(text)
    start = _of_bundle(path, text) if (path / "avtca.json").is_file() else _of_checkpoint(path)
    provenance = start.card.provenance
    action = f"fine-tune {text}"
    if provenance.get("train_config", {}).get("loss", "cross_entropy") != "cross_entropy":
        raise CheckpointError(
            action,
            "it predicts several labels at once, or a value",
            "start from a network that predicts one per clip",
        )
    if provenance.get("provenance", {}).get("normalise", "none") != "none":
        raise CheckpointError(
            action,
            "its features are normalised over each speaker's other samples",
            "start from a network that was trained with data.normalise: none",
        )
    return start


def _of_bundle(folder: Path, text: str) -> InitialModel:
    action = f"fine-tune {text}"
    bundle = read_bundle(folder)
    named = bundle.card.get("checkpoint")
    if not named or not (folder / f"{named['name']}.safetensors").is_file():
        raise CheckpointError(
            action,
            f"{folder} holds no weights that can be trained",
            "export the model again with this avtca, or name a checkpoint of avtca train",
        )
    network, card = load_checkpoint(folder / named["name"])
    card.clip_spec.require(bundle.spec, action=action, ignore=("labels",))
    if card.weights_sha256 != named["sha256"]:
        raise CheckpointError(
            action,
            f"{named['name']}.safetensors is not the checkpoint that avtca.json names",
            "copy the whole folder again",
        )
    face = bundle.card["files"].get("face")
    backend = OnnxBackend(bundle, threads=1)
    face_file = folder / face if face else _packaged_face(bundle.spec)
    return InitialModel(bundle.name, network, card, backend, face_file)


def _of_checkpoint(path: Path) -> InitialModel:
    weights = best_checkpoint(path)
    backend = TorchBackend(weights)  # refuses features that no face network here makes
    network, card = load_checkpoint(weights)
    name = f"{card.variant} ({path.name})"
    return InitialModel(name, network, card, backend, _packaged_face(card.clip_spec))


def _packaged_face(spec: ClipSpec) -> Path | None:
    """The packaged face network, for a network that reads features and brings none."""
    if spec.video != "features":
        return None
    return PACKAGED / str(read_bundle().card["files"]["face"])


def resize_head(start: InitialModel, labels: tuple[str, ...], *, seed: int = 0) -> FusionNetwork:
    """The network of the initial model with one output for each of ``labels``.

    Args:
        start: The initial model.
        labels: Labels of the result.
        seed: Seed of the rows of new labels.

    Returns:
        A network in which labels of the initial model keep their rows of every output layer,
        auxiliary heads included.
    """
    sizes: dict[str, Any] = {**start.card.config.to_dict()}
    sizes.pop("n_labels")
    spec = replace(start.card.clip_spec, labels=labels)
    network = new_network(start.card.variant, spec, seed=seed, **sizes)
    copy_weights(network, labels, start.network, start.labels)
    return network.eval()
