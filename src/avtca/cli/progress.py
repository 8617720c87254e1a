"""The progress bar of every command, as a :class:`~avtca.progress.ProgressHook`."""

from typing import TYPE_CHECKING

from avtca import cli

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressBar:
    """A progress bar on standard error, one for each stage in turn.

    Use it in a ``with`` statement, which stops the bar in any case. A bar stops when its stage is
    complete, so that Lightning can show its own afterwards.

    Args:
        shown: Whether to show anything.
        transient: Whether a finished bar disappears.
        min_total: Stages of fewer units get no bar.
    """

    def __init__(
        self, *, shown: bool = True, transient: bool = False, min_total: float = 0
    ) -> None:
        self.shown, self.transient, self.min_total = shown, transient, min_total
        self._stage = ""
        self._bar: Progress | None = None
        self._task: TaskID

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Show ``done`` of ``total`` units of a stage; see :class:`ProgressHook`."""
        if not self.shown or max(done, total or 0) < self.min_total:
            return
        if stage != self._stage or self._bar is None:
            self.stop()
            self._bar = self._new_bar()
            self._stage, self._task = stage, self._bar.add_task(stage, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
        if total is not None and done >= total:
            self.stop()

    def _new_bar(self) -> "Progress":
        from rich import progress

        return progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=cli.err.console,
            transient=self.transient,
        )

    def print(self, text: str) -> None:
        """Stop the bar and print a line on standard error."""
        self.stop()
        cli.err.print(text)

    def stop(self) -> None:
        """Stop the bar, leaving it as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
