"""Errors a user can cause: one line that says what was asked, what was found, what to do."""


class AvtcaError(Exception):
    """A failure with a remedy. The command line prints it as one line and exits with 2.

    ``action`` is what the user wanted ("read clip.mp4"), ``problem`` what stood in the way
    ("the file is empty"), ``fix`` what to do about it ("export the video again").
    """

    def __init__(self, action: str, problem: str, fix: str) -> None:
        self.action, self.problem, self.fix = action, problem, fix
        super().__init__(f"{action}: {problem}; {fix}")

    def __reduce__(self) -> tuple[type["AvtcaError"], tuple[str, str, str]]:
        """Pickles by its three parts, so that it comes out of a worker process as it went in."""
        return type(self), (self.action, self.problem, self.fix)


class MediaError(AvtcaError):
    """A file that cannot be read as video, audio or picture."""


class CheckpointError(AvtcaError):
    """A model file that is broken, foreign, or made for other input."""


class ClipSpecMismatch(AvtcaError):
    """Two sides prepare their input differently."""


class CorpusError(AvtcaError):
    """A corpus, manifest or cache that is not what it should be."""


class LeakError(AvtcaError):
    """A split that has the same person, or twins of a sample, on two sides."""


class ConfigError(AvtcaError):
    """A configuration that cannot be run."""


class MissingExtra(AvtcaError):
    """A feature that needs packages which are not installed."""
