"""Progress of long operations, reported through one kind of callable."""

from typing import Protocol


class ProgressHook(Protocol):
    """Called repeatedly while a long operation runs.

    Any function of three arguments fits. An exception that it raises stops the operation.

    Example:
        >>> def hook(stage, done, total):
        ...     print(f"{stage}: {done} of {total or '?'}")
        >>> hook("read samples", 3, 64)
        read samples: 3 of 64
    """

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Report progress.

        Args:
            stage: Name of the running stage, e.g. ``"read samples"``.
            done: Units finished in this stage: samples, clips, or seconds of media.
            total: Units of the whole stage; ``None`` if unknown.
        """


def no_progress(stage: str, done: int, total: int | None, /) -> None:
    """The default hook, which does nothing."""
