import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from made_samples import SPEC, make_samples

from avtca.data.augment_config import Augmentation
from avtca.errors import ClipSpecMismatch, ConfigError
from avtca.evaluation.inference import predict_samples
from avtca.model import load_checkpoint
from avtca.training.config import ModalityDropout, Optimiser, TrainConfig
from avtca.training.trainer import fit, new_network

SMALL = {"video_widths": (8, 8, 16, 16), "audio_widths": (8, 16, 16, 16), "dropout": 0.2}
EVERYTHING = TrainConfig(
    epochs=5,
    batch_size=8,
    seed=3,
    ema=0.7,
    auxiliary_weight=0.5,
    label_smoothing=0.1,
    class_weights=True,
    modality_dropout=ModalityDropout(mode="whole", audio=0.2, video=0.2),
    augmentation=Augmentation(waveform=0.3, gain_db=6, step_dropout=0.1, mixup=0.3),
    optimiser=Optimiser(learning_rate=0.01, warmup_epochs=1, clip_norm=1.0),
)


def run(out, settings=EVERYTHING, variant="experts", **more):
    torch.set_num_threads(1)
    validation = make_samples(12, seed=1)
    network = new_network(variant, SPEC, seed=settings.seed, **SMALL)
    return fit(network, settings, make_samples(24), validation, out=out, **more)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return run(tmp_path_factory.mktemp("unbroken"))


def test_learns_what_can_be_heard_and_seen(tmp_path):
    settings = TrainConfig(
        epochs=10,
        batch_size=8,
        augmentation=Augmentation(),
        optimiser=Optimiser(learning_rate=0.01),
    )
    result = run(tmp_path, settings)
    test = make_samples(30, seed=2)
    said = predict_samples(result.network, test)
    assert np.allclose(said.sum(1), 1)
    assert (said.argmax(1) == test.labels).mean() > 0.9


@pytest.mark.slow
def test_killed_in_an_epoch_and_resumed_equals_the_unbroken_run(unbroken, tmp_path):
    script = Path(__file__).parents[1] / "helpers" / "broken_off.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for step, epochs in (("5", 1), ("11", 3)):
        done = subprocess.run([sys.executable, script, tmp_path, step], env=environment)
        assert done.returncode == -signal.SIGKILL
        assert not (tmp_path / "done.json").exists()
        kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
        assert kept["global_step"] == 3 * epochs
    trained = []

    class Watch(Callback):
        def on_train_epoch_start(self, trainer, module):
            trained.append(trainer.current_epoch)

    resumed = run(tmp_path, callbacks=[Watch()])
    assert trained == [3, 4]
    assert resumed.history == unbroken.history
    assert resumed.epoch == unbroken.epoch
    for name in ("best", "last"):
        a, _ = load_checkpoint(tmp_path / name)
        b, _ = load_checkpoint(unbroken.out / name)
        for key, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[key]), key
    assert (tmp_path / "metrics.csv").read_text() == (unbroken.out / "metrics.csv").read_text()


def test_a_finished_run_is_not_trained_again(unbroken):
    before = (unbroken.out / "last.ckpt").stat().st_mtime_ns
    again = run(unbroken.out)
    assert again.figures == unbroken.figures
    assert (unbroken.out / "last.ckpt").stat().st_mtime_ns == before


def test_the_kept_weights_give_the_kept_figures(unbroken):
    validation = make_samples(12, seed=1)
    said = predict_samples(unbroken.network, validation)
    assert (said.argmax(1) == validation.labels).mean() == pytest.approx(
        unbroken.figures["accuracy"]
    )
    best = max(row["validation_accuracy"] for row in unbroken.history)
    assert unbroken.figures["accuracy"] == best


def test_what_is_written_before_the_first_step(tmp_path):
    class Stop(Exception):
        pass

    class AtStart(Callback):
        def on_train_start(self, *args):
            raise Stop

    with pytest.raises(Stop):
        run(tmp_path, callbacks=[AtStart()], provenance={"folds": "made", "folds_hash": "0"})
    card = json.loads((tmp_path / "run.json").read_text())
    assert card["train_config"]["optimiser"]["learning_rate"] == 0.01
    assert card["clip_spec_hash"] == SPEC.hash
    assert card["provenance"]["folds"] == "made"
    assert card["train"]["samples"] == 24 and len(card["train"]["speakers"]) == 4
    assert card["versions"]["torch"] == torch.__version__
    assert "commit" in card["versions"]


def test_another_run_in_the_folder_is_refused(unbroken):
    with pytest.raises(ConfigError, match=r"train_config\.epochs 5 != 6"):
        run(unbroken.out, EVERYTHING.model_copy(update={"epochs": 6}))


def test_a_refused_run_writes_nothing_and_may_be_corrected(tmp_path):
    wrong = EVERYTHING.model_copy(update={"augmentation": Augmentation(pixels=True)})
    called = []
    with pytest.raises(ConfigError, match="'pixels' varies face crops"):
        run(tmp_path / "new", wrong, begin=lambda: called.append(1))
    assert not (tmp_path / "new").exists() and not called
    right = TrainConfig(epochs=1, batch_size=8)
    run(tmp_path / "new", right, "video_only", begin=lambda: called.append(2))
    assert called == [2]


@pytest.mark.parametrize(
    ("variant", "changes", "named"),
    [
        ("audio_only", {"augmentation": Augmentation(video_noise=1)}, "augmentation.video_noise"),
        ("video_only", {"augmentation": Augmentation(gain_db=3)}, "augmentation.gain_db"),
        ("audio_only", {"modality_dropout": ModalityDropout(mode="whole")}, "modality_dropout"),
    ],
)
def test_what_one_stream_could_never_use_is_refused(tmp_path, variant, changes, named):
    with pytest.raises(ConfigError, match=rf"{named}: it has no effect: the network has no"):
        run(tmp_path, TrainConfig(epochs=1, batch_size=8, **changes), variant)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_a_graphics_card_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="PyTorch finds none here"):
        run(tmp_path, TrainConfig(epochs=1, batch_size=8, device="cuda"), "video_only")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_says_so_and_goes_on(unbroken, tmp_path, sent):
    script = Path(__file__).parents[1] / "helpers" / "broken_off.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, tmp_path, "5", sent.name],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130, done.stderr
    assert not (tmp_path / "done.json").exists()
    assert run(tmp_path).history == unbroken.history


def test_data_sets_prepared_differently_are_refused(tmp_path):
    network = new_network("figure", SPEC, **SMALL)
    other = replace(make_samples(12), spec=replace(SPEC, hop=40))
    with pytest.raises(ClipSpecMismatch, match="hop: 80 against 40"):
        fit(network, EVERYTHING, make_samples(), other, out=tmp_path)


def test_a_crop_that_could_never_fire_is_refused(tmp_path):
    spec = replace(SPEC, window_s=2.0, video_steps=20)
    network = new_network("figure", spec, **SMALL)
    samples = make_samples(spec=spec)
    with pytest.raises(ConfigError, match="'crop' has no effect: the longest sample has"):
        fit(network, EVERYTHING, samples, samples, out=tmp_path)


def test_a_metric_needs_validation(tmp_path):
    network = new_network("figure", SPEC, **SMALL)
    with pytest.raises(ConfigError, match="no validation samples"):
        fit(network, EVERYTHING, make_samples(), out=tmp_path)


def test_a_loss_that_is_not_finite_stops(tmp_path):
    wild = TrainConfig(epochs=30, batch_size=8, optimiser=Optimiser(name="sgd", learning_rate=1e30))
    with pytest.raises(ConfigError, match="not finite"):
        run(tmp_path, wild, "figure")


def test_patience_stops_early_and_stays_stopped(tmp_path):
    settings = TrainConfig(
        epochs=40, batch_size=8, patience=2, metric="loss", optimiser=Optimiser(learning_rate=0.05)
    )
    result = run(tmp_path, settings, "figure")
    assert len(result.history) == result.epoch + 3 < 40
    (tmp_path / "done.json").unlink()
    again = run(tmp_path, settings, "figure")
    assert again.history == result.history


def test_variants_train_with_softhard_dropout(tmp_path):
    settings = TrainConfig(
        epochs=1, batch_size=12, modality_dropout=ModalityDropout(mode="softhard")
    )
    for variant in ("figure", "late_transformer"):
        assert len(run(tmp_path / variant, settings, variant).history) == 1


def pixel_samples(n, seed=0):
    """Grey crops whose brightness tells the label, in place of the features."""
    samples = make_samples(n, seed=seed)
    spec = replace(SPEC, video="pixels", crop_px=32, colour="grey", video_features="", video_dim=0)
    rng = np.random.default_rng(seed)
    raws = []
    for raw, label in zip(samples.samples, samples.labels, strict=True):
        shape = (len(raw.steps), 32, 32)
        crops = rng.integers(0, 60, shape) + 80 * int(label)
        raws.append(replace(raw, video=crops.astype(np.uint8)))
    return replace(samples, spec=spec, samples=raws)


def test_networks_learn_from_face_crops_made_in_other_processes(tmp_path):
    settings = TrainConfig(
        epochs=2,
        batch_size=6,
        workers=1,
        augmentation=Augmentation(pixels=True, speed=0.1),
        optimiser=Optimiser(learning_rate=0.005),
    )
    trunk = {"units": (1, 1), "width": 32}
    samples, validation = pixel_samples(12), pixel_samples(6, seed=1)
    losses = []
    for workers in (0, 1):
        network = new_network("figure", samples.spec, trunk=trunk, **SMALL)
        made = settings.model_copy(update={"workers": workers})
        result = fit(network, made, samples, validation, out=tmp_path / str(workers))
        losses.append([row["train_loss"] for row in result.history])
    assert losses[0] == losses[1]
    assert losses[0][1] < losses[0][0]


def test_several_labels_at_once(tmp_path):
    samples, validation = make_samples(24), make_samples(12, seed=1)
    several = np.clip(samples.targets + np.roll(samples.targets, 1, axis=1), 0, 1)
    of = {"targets": several}
    samples = replace(samples, **of)
    validation = replace(validation, targets=several[:12])
    settings = TrainConfig(
        epochs=8,
        batch_size=8,
        loss="binary",
        metric="macro_f1",
        optimiser=Optimiser(learning_rate=0.02),
    )
    network = new_network("video_only", SPEC, **SMALL)
    with pytest.raises(ConfigError, match="its output is softmax; build it with output='sigmoid'"):
        fit(network, settings, samples, validation, out=tmp_path)
    network = new_network("video_only", SPEC, output="sigmoid", **SMALL)
    result = fit(network, settings, samples, validation, out=tmp_path)
    probs = predict_samples(result.network, validation, output="sigmoid")
    assert ((probs >= 0.5) == (validation.targets > 0.5)).mean() > 0.8
    assert result.figures["macro_f1"] > 0.7


def test_a_run_of_0_1_is_resumed(unbroken, tmp_path):
    """Its record and its ``last.ckpt`` have other names."""

    class Stop(Exception):
        pass

    class AfterTwo(Callback):
        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch == 2:
                raise Stop

    with pytest.raises(Stop):
        run(tmp_path, callbacks=[AfterTwo()])
    card = json.loads((tmp_path / "run.json").read_text())
    old = card.pop("train_config")
    old["batch"], old["auxiliary"] = old.pop("batch_size"), old.pop("auxiliary_weight")
    old["modality_dropout"]["form"] = old["modality_dropout"].pop("mode")
    old["augmentation"] |= {"time_masks": 0, "time_mask_s": 0.25}
    old["augmentation"]["visual_noise"] = old["augmentation"].pop("video_noise")
    (tmp_path / "run.json").write_text(json.dumps({**card, "recipe": old}))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    state["state_dict"] = {
        name.replace("video_frontend", "visual_front").replace("audio_", "sound_"): value
        for name, value in state["state_dict"].items()
    }
    assert any("sound_after" in name for name in state["state_dict"])
    torch.save(state, tmp_path / "last.ckpt")
    assert run(tmp_path).history == unbroken.history
