"""What a training run records beside its checkpoints: data, versions, history, weights."""

import csv
import hashlib
import io
import logging
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, Checkpoint

from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset
from avtca.files import write_atomic
from avtca.model import save_checkpoint
from avtca.run_dir import RunDir
from avtca.training.config import TrainConfig
from avtca.training.module import Training

logger = logging.getLogger(__name__)

LOWER_IS_BETTER = ("loss",)
PACKAGE = Path(__file__).parents[1]
PACKAGES = ("avtca", "torch", "lightning", "numpy", "scikit-learn")


def fingerprint(samples: EmotionDataset) -> dict[str, Any]:
    """Number of samples, speakers, and a hash of names, targets, durations and ClipSpec."""
    digest = hashlib.sha256(samples.spec.hash.encode())
    for name, speaker, duration_s in zip(
        samples.sample_ids, samples.speakers, samples.durations, strict=True
    ):
        digest.update(f"{name}\t{speaker}\t{duration_s:.4f}\n".encode())
    digest.update(samples.targets.round(5).tobytes())
    return {
        "samples": len(samples),
        "speakers": sorted(set(samples.speakers)),
        "hash": digest.hexdigest()[:12],
    }


def versions() -> dict[str, str]:
    """Versions of Python and packages, and the commit of this checkout if it is one."""
    out = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**out, "commit": commit()}


def commit(here: Path = PACKAGE) -> str:
    """The git commit of the package in ``here``, with "+" if its files differ.

    Empty if no repository tracks it, as in site-packages below another project's checkout.
    """

    def git(*args: str) -> str:
        found = subprocess.run(
            ["git", *args], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
        return found.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        head = git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


class SaveLast(Checkpoint):
    """Writes ``last.ckpt`` atomically after every epoch.

    It is a ``Checkpoint``, which Lightning calls after all other callbacks. (Lightning's
    ``ModelCheckpoint`` with ``save_top_k=0`` only saves at the end of training.)
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Save under another name, then rename."""
        beside = self.out / ".last.ckpt"
        trainer.save_checkpoint(beside)
        if trainer.is_global_zero:
            beside.replace(self.out / "last.ckpt")


class RunRecord(Callback):
    """Records the history, keeps the best weights, stops early; saved in ``last.ckpt``."""

    def __init__(self, out: Path, spec: ClipSpec, config: TrainConfig, run: dict[str, Any]) -> None:
        self.out, self.spec, self.config, self.run = out, spec, config, run
        self.history: list[dict[str, float]] = []
        self.best = -1

    def state_dict(self) -> dict[str, Any]:
        """For ``last.ckpt``."""
        return {"history": self.history, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From ``last.ckpt``."""
        self.history, self.best = state_dict["history"], state_dict["best"]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Stop at once if the run had already stopped early."""
        if self._exhausted():
            trainer.should_stop = True

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Record the epoch, and save its weights if they are the best."""
        assert isinstance(module, Training)
        loss = trainer.strategy.reduce(module.train_loss, reduce_op="mean")
        row = {
            "epoch": float(trainer.current_epoch),
            "train_loss": float(loss),
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            **{f"validation_{name}": value for name, value in module.figures.items()},
        }
        self.history.append(row)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        logger.info("epoch %d of %d: %s", trainer.current_epoch + 1, self.config.epochs, shown)
        better = self.config.metric != "none" and (
            self.best < 0 or self._value(len(self.history) - 1) > self._value(self.best)
        )
        if better:
            self.best = len(self.history) - 1
        if trainer.is_global_zero:
            if better:
                self._save("best", module, row)
            write_atomic(self.out / "metrics.csv", _csv(self.history))
        if self._exhausted():
            trainer.should_stop = True

    def finish(self, module: Training, *, seconds: float) -> None:
        """Save the last weights and mark the run as finished."""
        self._save("last", module, self.history[-1])
        kept = self.best if self.best >= 0 else len(self.history) - 1
        figures = {
            name.removeprefix("validation_"): value
            for name, value in self.history[kept].items()
            if name.startswith("validation_")
        }
        done = {
            "kept": "best" if self.best >= 0 else "last",
            "epoch": kept,
            "figures": figures,
            "history": self.history,
            "seconds_of_last_process": seconds,
        }
        RunDir(self.out).mark_done(done)

    def _value(self, row: int) -> tuple[float, float]:
        """Sort key of an epoch: larger is better, then lower loss."""
        sign = -1 if self.config.metric in LOWER_IS_BETTER else 1
        figures = self.history[row]
        value = sign * figures[f"validation_{self.config.metric}"]
        return value, -figures["validation_loss"]

    def _exhausted(self) -> bool:
        patience = self.config.patience
        return bool(patience and self.history and len(self.history) - 1 - self.best >= patience)

    def _save(self, name: str, module: Training, row: dict[str, float]) -> None:
        provenance = {key: value for key, value in self.run.items() if key != "clip_spec"}
        network = module.kept
        save_checkpoint(
            self.out / name, network, self.spec, provenance=provenance, metrics={"run": row}
        )


def _csv(history: list[dict[str, float]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(history[-1]), restval="")
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in history)
    return out.getvalue()
