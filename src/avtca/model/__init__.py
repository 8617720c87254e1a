"""The AVT-CA network; one file for each box of the paper's figure (docs/paper_map.md).

Importing this package needs no PyTorch; its networks do (the ``train`` extra).
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from avtca.errors import MissingExtra

if TYPE_CHECKING:
    from avtca.model.avtca import AVTCA, build_model
    from avtca.model.checkpoint import load_checkpoint, save_checkpoint
    from avtca.model.config import Card, ModelConfig
    from avtca.model.network import FusionNetwork, ModelOutput
    from avtca.model.variants import VARIANTS

__all__ = [
    "AVTCA",
    "VARIANTS",
    "Card",
    "FusionNetwork",
    "ModelConfig",
    "ModelOutput",
    "build_model",
    "load_checkpoint",
    "require_torch",
    "save_checkpoint",
]

_HOME = {
    "AVTCA": "avtca",
    "FusionNetwork": "network",
    "ModelOutput": "network",
    "VARIANTS": "variants",
    "build_model": "avtca",
    "Card": "config",
    "ModelConfig": "config",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
}


def __getattr__(name: str) -> Any:
    """Import the names of :data:`__all__` on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def require_torch(action: str) -> None:
    """Raise :class:`MissingExtra` if PyTorch, safetensors or einops is not installed."""
    missing = [name for name in ("torch", "safetensors", "einops") if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            action, f"{', '.join(missing)} not installed", "pip install 'avtca[train]'"
        )
