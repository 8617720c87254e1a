"""How fast, how large, how safe: preparing corpora and feeding a training from them.

    python benchmarks/prepare.py synthetic [--takes 2880] [--kills 10]  clips in RAVDESS's shape
    python benchmarks/prepare.py ravdess                                1,440 real takes, features
    python benchmarks/prepare.py loader                                 items a second, model beside

`synthetic` makes clips of 1280 x 720 with sound (they are SYNTHETIC), prepares them at 224 px,
and prepares them again in runs that are killed at random moments: the manifests must be equal,
byte for byte. Results go to benchmarks/results/prepare.json, one entry for each of the three.
"""

import argparse
import json
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, load_ravdess_features, prepare, read_corpus

SHARED = Path(os.environ.get("AVTCA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
RESULTS = Path(__file__).parent / "results" / "prepare.json"
FEATURES = ClipSpec(
    window_s=3.6,
    video_steps=36,
    visual="features",
    visual_features="expression7",
    visual_dim=7,
    sample_rate=16_000,
    sound="logmel",
    sound_dim=64,
    n_fft=512,
    hop=160,
)


def cpu_s() -> float:
    """Processor seconds of this process and its finished children."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))


def run(source: Path, out: Path, workers: int) -> None:
    """What `avtca prepare ravdess` does, in this process and its workers."""
    spec = ClipSpec()
    prepare(read_corpus("ravdess", source, spec), out, spec, workers=workers)


def synthetic(takes: int, kills: int, workers: int, folder: Path) -> dict[str, Any]:
    from avtca.corpora.synth import synth_corpus

    source = folder / f"synthetic-{takes}"
    started = time.perf_counter()
    synth_corpus(source, takes, min(24, takes), 0, workers=workers)
    made_s = time.perf_counter() - started
    whole, broken = folder / "whole", folder / "broken"
    command = [sys.executable, __file__, "_run", str(source)]
    started, before = time.perf_counter(), cpu_s()
    subprocess.run([*command, str(whole), "--workers", str(workers)], check=True)
    seconds, processor = time.perf_counter() - started, cpu_s() - before
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rng = random.Random(0)
    for _ in range(kills):
        process = subprocess.Popen(
            [*command, str(broken), "--workers", str(workers)], start_new_session=True
        )
        try:
            process.wait(timeout=rng.uniform(0.05, 1.0) * max(4.0, seconds / max(1, kills)))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    subprocess.run([*command, str(broken), "--workers", str(workers)], check=True)
    names = ("manifest.parquet", "corpus.json", "failures.csv")
    same = all((whole / name).read_bytes() == (broken / name).read_bytes() for name in names)
    corpus = PreparedCorpus.open(whole)
    return {
        "what": "SYNTHETIC clips, 1280 x 720, 30 Hz, 3 s, H.264 and AAC, to 224 px crops",
        "takes": len(corpus),
        "counts": corpus.meta["counts"],
        "made_s": round(made_s, 1),
        "seconds": round(seconds, 1),
        "clips_per_s": round(takes / seconds, 2),
        "cpu_s_per_clip": round(processor / takes, 3),
        "largest_process_mb": round(peak),
        "cache_mb": round(corpus.meta["bytes"] / 1e6, 1),
        "cache_kb_per_take": round(corpus.meta["bytes"] / 1e3 / takes, 1),
        "killed": kills,
        "same_manifest_after_kills": same,
    }


def ravdess(folder: Path) -> dict[str, Any]:
    started, before = time.perf_counter(), cpu_s()
    corpus = load_ravdess_features(SHARED / "corpora" / "ravdess", FEATURES, folder / "ravdess")
    prepared = time.perf_counter() - started, cpu_s() - before
    started, before = time.perf_counter(), cpu_s()
    raws = dict(corpus.raws())
    read = time.perf_counter() - started, cpu_s() - before
    return {
        "what": "1,440 real takes: FLAC and face sequences",
        "takes": len(raws),
        "prepare_s": round(prepared[0], 1),
        "prepare_cpu_s": round(prepared[1], 1),
        "read_all_s": round(read[0], 1),
        "read_all_cpu_s": round(read[1], 1),
        "cache_mb": round(corpus.meta["bytes"] / 1e6, 1),
    }


def loader(folder: Path) -> dict[str, Any]:
    """Items a second of the training's own loader, and of a training step of the model."""
    import torch
    from torch.nn import functional as F

    from avtca.evaluation.takes import from_corpus
    from avtca.model import ModelConfig, build_model
    from avtca.training.data import TrainingData, training_loader
    from avtca.training.recipe import Augmentation

    torch.set_num_threads(1)
    corpus = load_ravdess_features(SHARED / "corpora" / "ravdess", FEATURES, folder / "ravdess")
    takes = from_corpus(corpus)
    out: dict[str, Any] = {"what": "RAVDESS features, batches of 32, one thread; CPU seconds"}
    plain = {"crop_slack_s": 0.4}
    kinds = {
        "plain": Augmentation(**plain),
        "spec_augment": Augmentation(**plain, time_masks=2, band_masks=2),
        "waveform": Augmentation(**plain, waveform=0.5, gain_db=6.0),
    }
    batch = None
    for name, augmentation in kinds.items():
        batches = training_loader(TrainingData(takes, augmentation, seed=0), 32)
        for epoch in range(2):  # the second epoch finds its windows made
            batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
            before, items = time.process_time(), 0
            for batch in batches:
                items += len(batch.take)
            out[f"{name}_epoch{epoch}_items_per_s"] = round(items / (time.process_time() - before))
    assert batch is not None
    for variant in ("figure", "best"):
        model = build_model(variant, ModelConfig.for_spec(takes.spec))
        optimiser = torch.optim.AdamW(model.parameters())
        steps = 12
        for step in range(steps + 2):
            if step == 2:
                before = time.process_time()
            answer = model(batch.visual, batch.sound, batch.visual_mask, batch.sound_mask)
            loss = F.cross_entropy(answer.logits, batch.target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        out[f"model_{variant}_items_per_s"] = round(32 * steps / (time.process_time() - before))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["synthetic", "ravdess", "loader", "_run"])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--takes", type=int, default=2880)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keep what is made here")
    asked = parser.parse_args()
    if asked.what == "_run":
        run(*asked.folders, workers=asked.workers)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        if asked.what == "synthetic":
            result = synthetic(asked.takes, asked.kills, asked.workers, folder)
        else:
            result = {"ravdess": ravdess, "loader": loader}[asked.what](folder)
    result["machine"] = (
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f}"
    )
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**results, asked.what: result}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
