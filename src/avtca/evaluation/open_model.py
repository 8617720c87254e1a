"""Open anything that ``avtca evaluate`` takes, together with its test data."""

from pathlib import Path

from avtca.errors import ConfigError
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.exported_model import open_exported_model
from avtca.evaluation.trained_model import open_trained_model
from avtca.progress import ProgressHook, no_progress
from avtca.runtime.bundle import CARD_FILE


def open_model(
    path: Path,
    data: Path,
    clips: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    allow_leak: bool = False,
    device: str = "cpu",
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> EvaluatedModel:
    """Open an exported model or trained networks with the data to test them on.

    Args:
        path: Folder of an exported model, a checkpoint, a run or a cross-validation.
        data: A prepared corpus. For an exported model it is prepared with the model's ClipSpec
            (``avtca prepare --spec``), or labelled clips: a CSV, or folders named by label.
        clips: Folder for the decoded clips, decoded once; each source has its own inside.
        folds: Folds to test on; by default those of the training.
        fold: Which of ``folds``.
        seed: Which seed of a cross-validation; by default the first.
        allow_leak: Test on training speakers all the same, with a caveat.
        device: "auto", "cpu" or "cuda"; an exported model has no "cuda".
        workers: Processes that decode clips; 0 for none.
        progress: Called while clips are decoded.

    Raises:
        AvtcaError: As :func:`~avtca.evaluation.trained_model.open_trained_model` and
            :func:`~avtca.evaluation.exported_model.open_exported_model` do.
    """
    if not (path / CARD_FILE).is_file():
        return open_trained_model(
            path, data, folds=folds, fold=fold, seed=seed, allow_leak=allow_leak, device=device
        )
    if folds is not None or fold is not None or seed is not None:
        raise ConfigError(
            f"evaluate {path}",
            "an exported model has no folds",
            "leave --folds, --fold and --seed out",
        )
    return open_exported_model(
        path,
        data,
        clips,
        allow_leak=allow_leak,
        device=device,
        workers=workers,
        progress=progress,
    )
