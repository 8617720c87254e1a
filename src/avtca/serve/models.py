"""The models that a service offers."""

import threading
from pathlib import Path
from typing import Any

from avtca.errors import ConfigError
from avtca.recognize.recognizer import Recognizer, load
from avtca.runtime.bundle import DEFAULT_MODEL, PAPER_MODEL, model_path
from avtca.serve.problems import Problem


class Models:
    """Models by name, each loaded once in a process, when it is first used.

    The packaged models are always offered.

    Args:
        default: The model of requests that name none, as ``avtca predict --model`` takes it. One
            that is not packaged is offered under the last part of its path.
        speaker_model: See :func:`avtca.load`.
    """

    def __init__(self, default: str, speaker_model: Path | str | None = None) -> None:
        path = model_path(default)
        given = {} if default in (DEFAULT_MODEL, PAPER_MODEL) else {path.name: path}
        self.default = next(iter(given), default)
        self.paths: dict[str, Path | str] = {
            **given,
            DEFAULT_MODEL: DEFAULT_MODEL,
            PAPER_MODEL: PAPER_MODEL,
        }
        self._speaker_model = speaker_model
        self._loaded: dict[str, Recognizer] = {}
        self._lock = threading.Lock()

    def name(self, wanted: str | None) -> str:
        """A name from a request, checked.

        Raises:
            Problem: There is no such model.
        """
        name = self.default if wanted is None else wanted
        if name not in self.paths:
            names = ", ".join(self.paths)
            raise Problem(422, f"use model {name[:80]}: there is none; choose one of {names}")
        return name

    def load(self, name: str) -> Recognizer:
        """The recognizer of a name.

        Raises:
            CheckpointError: The model, or the speaker model, is missing or damaged.
            ConfigError: The speaker model does not fit the model.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(self.paths[name], speaker_model=self._speaker_model)
            return self._loaded[name]

    def describe(self) -> list[dict[str, Any]]:
        """Each model for ``GET /v1/models``, the default first."""
        names = sorted(self.paths, key=lambda name: name != self.default)
        return [self._describe(name) for name in names]

    def _describe(self, name: str) -> dict[str, Any]:
        recognizer = self.load(name)
        try:
            recognizer.require_attention()
            attention = True
        except ConfigError:
            attention = False
        backend = recognizer.backend
        return {
            "name": name,
            "default": name == self.default,
            "version": backend.name,
            "labels": list(backend.spec.labels),
            "window_s": backend.spec.window_s,
            "attention": attention,
            "thresholds": backend.thresholds,
        }
