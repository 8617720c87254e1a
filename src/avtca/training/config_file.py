"""Reading configurations: YAML files that may extend others, and changes of single keys."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from avtca.compat import upgrade, upgrade_path
from avtca.errors import ConfigError
from avtca.training.config import ExperimentConfig, section_at, unknown_key


def load_experiment(path: Path, changes: Sequence[str] = ()) -> ExperimentConfig:
    """Read a configuration file.

    Args:
        path: A YAML file. ``extends: other.yaml`` in it names a file in the same folder whose keys
            it overrides. Keys of earlier versions are read.
        changes: ``key=value`` with a dotted key and a YAML value, as ``train.epochs=10``.

    Returns:
        The configuration; relative paths in it refer to the working directory, ``model.init_from``
        of a file first to the file's folder.

    Raises:
        ConfigError: Lists everything that is wrong, with the nearest name for each unknown key.
    """
    values = _read(path, ())
    for change in changes:
        _apply(values, change)
    if not values.get("name"):
        values["name"] = path.stem
    return check_experiment(values, action=f"use the configuration {path}")


def check_experiment(values: Mapping[str, Any], *, action: str) -> ExperimentConfig:
    """A configuration from plain values.

    Args:
        values: Nested mappings, as in the YAML file.
        action: What the configuration is for, for messages.

    Raises:
        ConfigError: As :func:`load_experiment`.
    """
    try:
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        lines = [_message(item) for item in error.errors()]
        found = lines[0] if len(lines) == 1 else f"{len(lines)} errors: " + "; ".join(lines)
        raise ConfigError(
            action, found, "correct these keys (docs/configuration.md lists all)"
        ) from None


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The values of a file over those that it extends."""
    action = f"read the configuration {path}"
    if path.resolve() in seen:
        raise ConfigError(action, "it extends itself", "remove one 'extends'")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(action, error.strerror or str(error), "name a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise ConfigError(action, f"not YAML ({line})", "correct the file") from None
    if not isinstance(values, dict):
        raise ConfigError(action, "it has no keys", "see configs/ for examples")
    values = dict(upgrade(values, "config"))
    if isinstance(network := values.get("model"), dict) and network.get("init_from"):
        values["model"] = {**network, "init_from": _checkpoint(path, str(network["init_from"]))}
    base = values.pop("extends", None)
    if base is None:
        return values
    return _merged(_read(path.parent / str(base), (*seen, path.resolve())), values)


def _checkpoint(path: Path, init_from: str) -> str:
    """A checkpoint relative to the configuration file if it is there."""
    found = Path(os.path.normpath(path.parent / init_from))
    exists = found.exists() or found.with_name(found.name + ".json").exists()
    return str(found) if exists else init_from


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return out


def _apply(values: dict[str, Any], change: str) -> None:
    """Change one key in place."""
    key, equals, text = change.partition("=")
    action = f"--set {change}"
    if not equals or not key:
        raise ConfigError(action, "it is not KEY=VALUE", "write it as train.epochs=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(action, f"{text!r} is not a value", "quote it as in YAML") from None
    *path, last = upgrade_path(key.split("."))
    at = values
    for part in path:
        inner = at.get(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(action, f"{part!r} is not a group of keys", "name a key inside it")
        at[part] = dict(inner)
        at = at[part]
    at[last] = upgrade(value, last)


def _message(item: Any) -> str:
    """One line for one of pydantic's errors."""
    where = [str(part) for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        *outer, key = where
        known = set(section_at(outer).model_fields)
        return "".join(f"{part}: " for part in [".".join(outer)] if part) + unknown_key(key, known)
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(where)}: {message}" if where else message
