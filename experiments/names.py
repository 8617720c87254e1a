"""Names in published results, which keep those of avtca 0.1, and the names of today.

Result files keep the systems' names and the hashes of configurations that they were published with.
"""

from collections.abc import Mapping
from typing import Any

from avtca.compat import CONFIG_KEYS, KEYS


def shown(system: str) -> str:
    """Today's name of a published system: ``best_averaged`` is ``experts_ensemble``."""
    network = "experts" + system.removeprefix("best") if system.startswith("best") else system
    return network.replace("_averaged", "_ensemble")


def published(system: str) -> str:
    """The published name of a system: the inverse of :func:`shown`."""
    network = "best" + system.removeprefix("experts") if system.startswith("experts") else system
    return network.replace("_ensemble", "_averaged")


def published_config(values: Any, section: str = "config") -> Any:
    """The values of a configuration under the keys of 0.1, from which its hash is computed."""
    if isinstance(values, Mapping):
        inner = {new: old for old, new in CONFIG_KEYS.get(section, {}).items()}
        return {
            inner.get(key) or OLD_KEYS.get(key) or key: published_config(value, key)
            for key, value in values.items()
        }
    if section == "variant":
        return published(values)
    return [published_config(value, "") for value in values] if isinstance(values, list) else values


OLD_KEYS = {new: old for old, new in KEYS.items()}
