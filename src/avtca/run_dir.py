"""The output folder of a resumable command.

A command records its settings in a JSON file of its folder before it writes anything else. Started
again, it resumes where the settings are the same and refuses the folder where they differ.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from avtca.compat import upgrade
from avtca.errors import AvtcaError, ConfigError
from avtca.files import write_atomic

MAX_DIFFERENCES = 3
"""Differing settings that a refusal lists; the others are counted."""
DONE = "done.json"
"""Marker of a finished command, with its results."""


class RunDir:
    """A folder whose settings file decides whether a command can resume in it.

    Reading accepts the keys of earlier versions (:mod:`avtca.compat`). All files are written
    atomically: a reader finds the old content or the new, never a part.

    Args:
        path: The folder; need not exist.
        action: What the command does, for messages ("train in runs/a").
        settings_file: Name of the JSON file with the settings, relative to ``path``.
        ignored: Dotted keys that may differ when resuming, each with everything below it.
        fix: What to do about a refusal, for messages.
        error: Type of the exception raised.
        upgrade: Renames old keys of the settings file.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        action: str = "",
        settings_file: str = "settings.json",
        ignored: Collection[str] = (),
        fix: str = "choose another --out, or delete the folder",
        error: type[AvtcaError] = ConfigError,
        upgrade: Callable[[Any], Any] = upgrade,
    ) -> None:
        self.path = Path(path)
        self.action = action or f"resume in {path}"
        self.settings_path = self.path / settings_file
        self.ignored, self.fix, self.error, self._upgrade = ignored, fix, error, upgrade

    def settings(self) -> Any:
        """The settings recorded in the folder, or ``None`` where there are none.

        Raises:
            AvtcaError: The settings file cannot be read, or is not JSON.
        """
        if self.path.exists() and not self.path.is_dir():
            raise self.refusal("it is a file", "choose a folder with --out")
        try:
            return self._upgrade(json.loads(self.settings_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.refusal(error.strerror or str(error), "check the folder") from error
        except ValueError as error:
            raise self.refusal(f"{self.settings_path.name} is broken ({error})") from error

    def require(self, settings: Mapping[str, Any], *, empty: bool = False) -> bool:
        """Check that the folder can be used with these settings; writes nothing.

        Args:
            settings: JSON-serialisable values.
            empty: Refuse a folder that has files but no settings.

        Returns:
            Whether the folder holds a run with the same settings, to be resumed.

        Raises:
            AvtcaError: The folder holds a run with different settings, or something else.
        """
        before = self.settings()
        if before is None:
            if empty and self._has_files():
                raise self.refusal("the folder holds something else", "choose an empty --out")
            return False
        found = differences(before, json.loads(json.dumps(settings)), self.ignored)
        if found:
            shown = [f"{key} {old!r} != {new!r}" for key, (old, new) in found.items()]
            rest = len(shown) - MAX_DIFFERENCES
            more = f" and {rest} more" if rest > 0 else ""
            raise self.refusal(
                f"existing run uses different settings: {'; '.join(shown[:MAX_DIFFERENCES])}{more}"
            )
        return True

    def open(self, settings: Mapping[str, Any], *, empty: bool = True) -> bool:
        """Make the folder and record the settings, unless they are recorded already.

        Args, Returns, Raises: As :meth:`require`; also raises where nothing can be written.
        """
        resumed = self.require(settings, empty=empty)
        if not resumed:
            self.record(settings)
        return resumed

    def record(self, settings: Mapping[str, Any]) -> None:
        """Write the settings file, and the folder where it is missing."""
        try:
            self.settings_path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.settings_path, settings, sort_keys=True)
        except OSError as error:
            raise self.refusal(error.strerror or str(error), "check the folder") from error

    def done(self) -> Any:
        """The results that :meth:`mark_done` recorded, or ``None`` for an unfinished run."""
        path = self.path / DONE
        return self._upgrade(json.loads(path.read_text())) if path.exists() else None

    def mark_done(self, results: Mapping[str, Any]) -> None:
        """Record the results and with them that the run is finished."""
        write_json(self.path / DONE, results)

    def refusal(self, problem: str, fix: str = "") -> AvtcaError:
        """The exception for a folder that cannot be used."""
        return self.error(self.action, problem, fix or self.fix)

    def _has_files(self) -> bool:
        """Whether anything is there but half-written settings."""
        part = f".{self.settings_path.name}."
        return self.path.exists() and any(
            not path.name.startswith(part) for path in self.path.iterdir()
        )


def write_json(path: Path, values: Any, *, sort_keys: bool = False) -> None:
    """Write JSON atomically, indented by one space."""
    write_atomic(path, json.dumps(values, indent=1, sort_keys=sort_keys))


def differences(
    before: Any, now: Any, ignored: Collection[str] = (), path: str = ""
) -> dict[str, tuple[Any, Any]]:
    """The values that differ between two JSON values.

    Args:
        before: JSON values.
        now: JSON values.
        ignored: Dotted keys to leave out, each with everything below it.
        path: Prefix of the keys returned.

    Returns:
        Dotted key -> ``(before, now)``; ``None`` for a missing key.
    """
    if path in ignored:
        return {}
    if isinstance(before, dict) and isinstance(now, dict):
        out: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*before, *now}):
            inner = f"{path}.{key}" if path else str(key)
            out |= differences(before.get(key), now.get(key), ignored, inner)
        return out
    return {} if before == now else {path: (before, now)}


def best_checkpoint(path: Path) -> Path:
    """The chosen checkpoint in the folder of a training, or the path itself."""
    if (path / DONE).exists():
        kept: str = json.loads((path / DONE).read_text())["kept"]
        return path / kept
    if (path / "best.json").exists():
        return path / "best"
    return path
