"""Run by test_fit: a training that signals itself (SIGKILL) in the middle of an epoch."""

import os
import signal
import sys
from pathlib import Path

from lightning.pytorch.callbacks import Callback

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from test_trainer import run


class Kill(Callback):
    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == int(sys.argv[2]):
            os.kill(os.getpid(), SENT)


SENT = signal.Signals[sys.argv[3]] if len(sys.argv) > 3 else signal.SIGKILL
try:
    run(Path(sys.argv[1]), callbacks=[Kill()])
except KeyboardInterrupt:
    sys.exit(130)
