"""Folders of runs and cross-validations: their names, folds and checkpoints."""

import json
from collections.abc import Sequence
from pathlib import Path

from avtca.errors import ConfigError
from avtca.run_dir import best_checkpoint


def run_name(path: Path) -> str:
    """The name in a run's configuration, or that of the path."""
    try:
        config = json.loads((path / "config.json").read_text())["config"]
        return str(config["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return path.stem if path.is_file() else path.resolve().name


def run_seed(path: Path) -> int:
    """The seed in a run's configuration; 0 where there is none."""
    try:
        return int(json.loads((path / "config.json").read_text())["config"]["train"]["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def run_folds(path: Path) -> str:
    """Name and hash of the folds of a run; empty where its configuration has none."""
    try:
        data = json.loads((path / "config.json").read_text())["data"]
        return f"{data['folds']} ({data['folds_hash']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def distinct_names(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """The names; equal ones are replaced by as many trailing parts of their paths as needed."""
    alike = {n: path.resolve().parts for n, path in enumerate(paths) if names.count(names[n]) > 1}
    for length in range(2, max(map(len, alike.values()), default=0) + 1):
        tails = {n: "/".join(parts[-length:]) for n, parts in alike.items()}
        if len(set(tails.values())) == len(tails):
            return [tails.get(n, name) for n, name in enumerate(names)]
    return [*names]


def n_folds(path: Path) -> int | None:
    """Number of folds of a cross-validation; ``None`` where it is not finished."""
    try:
        result = json.loads((path / "result.json").read_text("utf-8"))
        return len(list(result["folds"]["accuracy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def numbered_folders(path: Path, kind: str) -> list[Path]:
    """Folders seed0, seed1 ... (or fold0, fold1 ...) of a cross-validation, in order."""
    found = [one for one in path.glob(f"{kind}*") if one.is_dir() and one.name[4:].isdigit()]
    return sorted(found, key=lambda one: int(one.name[4:]))


def run_checkpoints(path: Path, seed: int | None) -> tuple[list[Path], list[int]]:
    """The checkpoints of a path: a single one, or those of the folds with their numbers."""
    action = f"evaluate {path}"
    seeds = [int(one.name[4:]) for one in numbered_folders(path, "seed")]
    if seed is not None and seed not in seeds:
        if seeds:
            found = f"no seed {seed}; there are {', '.join(map(str, seeds))}"
            raise ConfigError(action, found, "choose one of them")
        raise ConfigError(f"{action} with seed {seed}", "no folder of avtca cv", "leave --seed out")
    if not seeds:
        return [best_checkpoint(path)], []
    inside = path / f"seed{seeds[0] if seed is None else seed}"
    folders = numbered_folders(inside, "fold")
    if unfinished := [one.name for one in folders if not (one / "done.json").exists()]:
        found = f"{', '.join(unfinished)} not finished"
        raise ConfigError(action, found, "run avtca cv to its end")
    if not folders:
        raise ConfigError(action, f"no folds in {inside.name}", "run avtca cv to its end")
    return [best_checkpoint(one) for one in folders], [int(one.name[4:]) for one in folders]


def require_all_folds(action: str, numbers: Sequence[int], folds: int | None) -> None:
    """Refuse a cross-validation with missing folds; a single network has no numbers."""
    if numbers and folds is None:
        raise ConfigError(action, "the cross-validation has not ended", "run avtca cv to its end")
    missing = sorted(set(range(folds or 0)) - set(numbers)) if numbers else []
    if missing:
        raise ConfigError(
            action,
            f"{len(numbers)} of {folds} folds are there, not {', '.join(map(str, missing))}",
            "run avtca cv to its end, or name the folder of one fold",
        )
