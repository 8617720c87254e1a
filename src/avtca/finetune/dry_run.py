"""A dry run of a fine-tuning: a few clips, one epoch, in a temporary folder."""

import csv
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from avtca.corpora.index import SampleSource
from avtca.finetune.clips import find_clips
from avtca.finetune.finetune import finetune
from avtca.finetune.initial import load_initial_model
from avtca.progress import ProgressHook, no_progress

SPEAKERS, LABELS = 3, 3
"""Labels of a dry run, and speakers of each label."""


def dry_run(
    checkpoint: str,
    source: Path,
    *,
    allow_leak: bool = False,
    tier: str | None = None,
    workers: int = 0,
    message: Callable[[str], None] = print,
    progress: ProgressHook = no_progress,
) -> list[str]:
    """Fine-tune on a few of the clips for one epoch, and export the model; nothing is kept.

    Args: As :func:`~avtca.finetune.finetune.finetune`.

    Returns:
        The outcome, as printed.

    Raises:
        AvtcaError: As :func:`~avtca.finetune.finetune.finetune`.
    """
    start = load_initial_model(checkpoint)
    every = find_clips(start, source, tier=tier, allow_leak=allow_leak).sources
    few = few_clips(every)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "clips.csv"
        _write(table, few)
        finetune(
            checkpoint,
            table,
            Path(folder) / "model",
            epochs=1,
            allow_leak=allow_leak,
            workers=workers,
            message=message,
            progress=progress,
        )
    return [
        f"dry run: {len(few)} of {len(every)} clips were read, a model was trained on them for an "
        "epoch, tested and exported; nothing was written"
    ]


def few_clips(sources: Sequence[SampleSource]) -> list[SampleSource]:
    """A clip of each of a few speakers for each of a few labels."""
    of: dict[str, dict[str, SampleSource]] = {}
    for one in sources:
        of.setdefault(one.label, {}).setdefault(one.speaker, one)
    labels = sorted(of, key=lambda label: (-len(of[label]), label))[:LABELS]
    shown = Counter(speaker for label in labels for speaker in of[label] if speaker)
    return [
        of[label][speaker]
        for label in labels
        for speaker in sorted(of[label], key=lambda name: (-shown[name], name))[:SPEAKERS]
    ]


def _write(table: Path, sources: Sequence[SampleSource]) -> None:
    with table.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["path", "label", "speaker", "start", "end"])
        for one in sources:
            path = one.video or one.audio
            assert path is not None  # clips of a folder are files
            times = ("" if time is None else time for time in (one.start_s, one.end_s))
            out.writerow([path.resolve(), one.label, one.speaker, *times])
