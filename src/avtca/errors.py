"""Errors that a user can cause and fix; each is one line of text."""

from avtca.text import printable


class AvtcaError(Exception):
    """Base class: an action failed because of a problem, which has a fix.

    The command line prints it as one line and exits with 2. Control characters, as file names may
    have them, are escaped.

    Attributes:
        action: What the user wanted ("read clip.mp4").
        problem: Why it failed ("the file is empty").
        fix: What to do about it ("export the video again").
    """

    def __init__(self, action: str, problem: str, fix: str) -> None:
        self.action, self.problem, self.fix = map(_printable, (action, problem, fix))
        super().__init__(f"{self.action}: {self.problem}; {self.fix}")

    def __reduce__(self) -> tuple[type["AvtcaError"], tuple[str, str, str]]:
        """Pickle by the three parts, so that it survives the way out of a worker process."""
        return type(self), (self.action, self.problem, self.fix)


def _printable(text: str) -> str:
    """Line breaks stay: a configuration lists its problems one a line."""
    return "\n".join(map(printable, text.split("\n")))


class MediaError(AvtcaError):
    """A clip that cannot be decoded or used."""


class CheckpointError(AvtcaError):
    """A model file that is damaged, foreign, or made for other input."""


class ClipSpecMismatch(AvtcaError):
    """Two inputs that were prepared differently."""


class CorpusError(AvtcaError):
    """A corpus, manifest or cache that cannot be used."""


class LeakError(AvtcaError):
    """A speaker, or a copy of a sample, in two subsets of a split."""


class ConfigError(AvtcaError):
    """An invalid setting."""


class MissingExtra(AvtcaError):
    """A feature whose packages are not installed."""
