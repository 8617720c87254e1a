"""Errors that a user can cause and fix; each is one line of text."""


class AvtcaError(Exception):
    """Base class: an action failed because of a problem, which has a fix.

    The command line prints it as one line and exits with 2.

    Attributes:
        action: What the user wanted ("read clip.mp4").
        problem: Why it failed ("the file is empty").
        fix: What to do about it ("export the video again").
    """

    def __init__(self, action: str, problem: str, fix: str) -> None:
        self.action, self.problem, self.fix = action, problem, fix
        super().__init__(f"{action}: {problem}; {fix}")

    def __reduce__(self) -> tuple[type["AvtcaError"], tuple[str, str, str]]:
        """Pickle by the three parts, so that it survives the way out of a worker process."""
        return type(self), (self.action, self.problem, self.fix)


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
