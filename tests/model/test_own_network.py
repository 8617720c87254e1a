"""A user's network class: used as one of avtca's, or refused before the first step."""

import importlib
import json
import sys
from dataclasses import replace

import pytest
import torch
from made_samples import SPEC, make_samples

from avtca.errors import CheckpointError, ConfigError
from avtca.evaluation.inference import predict_samples
from avtca.model import FusionNetwork, load_checkpoint
from avtca.model.export import export_onnx
from avtca.model.own_network import code_hash
from avtca.model.summary import summarise, totals
from avtca.training.config import Optimiser, TrainConfig
from avtca.training.pretrained import copy_weights
from avtca.training.trainer import fit, new_network

CODE = """
import torch
from torch import nn

WIDTH = 8

class Mean(nn.Module):
    def __init__(self, config, width=WIDTH):
        super().__init__()
        self.visual = nn.Linear(config.video_dim, width)
        self.sound = nn.Linear(config.audio_dim, width)
        self.head = nn.Linear(2 * width, config.n_labels)

    def forward(self, video, audio, video_mask, audio_mask):
        seen = mean(self.visual(video), video_mask)
        heard = mean(self.sound(audio.transpose(1, 2) / 50), audio_mask)
        return self.head(torch.cat((seen, heard), 1).tanh())

def mean(tokens, mask):
    real = mask.unsqueeze(2)
    return (tokens * real).sum(1) / real.sum(1).clamp(min=1)
"""
REST = """
class Other(Mean):
    def forward(self, *inputs):
        return {body}

class Plain: pass

def function(config): return Mean(config)

class NoArguments(nn.Module):
    def __init__(self): super().__init__()

class ThreeInputs(Mean):
    def forward(self, video, audio, mask): return self.head(video)

class Crash(Mean):
    def forward(self, video, audio, video_mask, audio_mask):
        return self.head(video)

class NoMask(Mean):
    def forward(self, video, audio, video_mask, audio_mask):
        seen = self.visual(video).sum(1) / video_mask.sum(1, keepdim=True)
        return self.head(torch.cat((seen, seen), 1))

class Twice(Mean):
    def __init__(self, config):
        super().__init__(config)
        self.again = self.head

class Frozen(Mean):
    def __init__(self, config):
        super().__init__(config)
        self.requires_grad_(False)

class Wrong(Mean):
    streams = "sound"
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the working directory, and forgets what was imported before."""
    monkeypatch.chdir(tmp_path)

    def write(code, name="mine"):
        (tmp_path / f"{name}.py").write_text(code)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        code_hash.cache_clear()
        return name

    path = [*sys.path]
    yield write
    sys.path[:] = path
    for name in ("mine", "broken"):
        sys.modules.pop(name, None)
    code_hash.cache_clear()


def test_a_class_in_the_working_directory_is_trained_saved_and_exported(module, tmp_path):
    module(CODE)
    data = make_samples()
    network = new_network("mine:Mean", SPEC, seed=1, arguments={"width": 4})
    assert isinstance(network, FusionNetwork)
    assert network.streams == "both" and network.network.visual.out_features == 4
    config = TrainConfig(epochs=30, metric="none", optimiser=Optimiser(learning_rate=0.02))
    done = fit(network, config, data, out=tmp_path / "run")
    found = predict_samples(done.network, data)
    assert (found.argmax(1) == data.labels).all()  # learned, and read from its checkpoint
    card = json.loads((tmp_path / "run" / "last.json").read_text())
    assert card["variant"] == "mine:Mean" and card["config"]["arguments"] == {"width": 4}
    assert set(load_checkpoint(tmp_path / "run")[0].state_dict()) >= {"network.visual.weight"}

    onnxruntime = pytest.importorskip("onnxruntime")
    export_onnx(done.network, SPEC, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    inputs = data[0]
    names = ("video", "audio", "video_mask", "audio_mask")
    given = {name: getattr(inputs, name) for name in names}
    tensors = [torch.from_numpy(value) for value in given.values()]
    with torch.no_grad():
        expected = done.network(*tensors).logits.numpy()
    assert abs(session.run(["logits"], given)[0] - expected).max() < 1e-5


def test_a_network_that_cannot_be_traced_is_not_exported(module, tmp_path):
    module(CODE + REST.replace("{body}", "super().forward(*inputs) * len(inputs[0])"))
    network = new_network("mine:Mean", SPEC).eval()
    network.network.forward = lambda v, a, vm, am: torch.zeros(len(v), 3) + v.sum((1, 2))[:, None]
    with pytest.raises(ConfigError, match=r"torch.export cannot trace it .*not len"):
        export_onnx(network, SPEC, tmp_path / "net.onnx")


def test_values_at_masked_steps_never_arrive(module):
    module(CODE.replace("tokens * real", "tokens").replace("real.sum(1).clamp(min=1)", "9"))
    network = new_network("mine:Mean", SPEC).eval()
    video, audio = torch.rand(1, 10, 3), torch.rand(1, 16, 101)
    masks = torch.ones(1, 10, dtype=torch.bool), torch.ones(1, 101, dtype=torch.bool)
    masks[0][:, 6:] = masks[1][:, 60:] = False
    before = network(video, audio, *masks).logits
    video[:, 6:] = audio[:, :, 60:] = float("nan")
    assert torch.equal(network(video, audio, *masks).logits, before)


def test_outputs_of_common_labels_are_copied(module):
    module(CODE)
    other = new_network("mine:Mean", SPEC, seed=1)
    network = new_network("mine:Mean", replace(SPEC, labels=("new", "high")), seed=2)
    assert copy_weights(network, ("new", "high"), other, SPEC.labels) == 6
    rows = network.network.head.weight, other.network.head.weight
    assert torch.equal(rows[0][1], rows[1][2]) and not torch.equal(rows[0][0], rows[1][0])


def test_the_summary_counts_every_parameter(module):
    module(CODE)
    rows = summarise("mine:Mean", SPEC)
    assert [row.name for row in rows] == ["network.visual", "network.sound", "network.head"]
    assert totals(rows) == (3 * 8 + 8 + 16 * 8 + 8 + 16 * 3 + 3, 10 * 24 + 101 * 128 + 48)


REFUSED = {
    "function": "it is a function, no subclass of torch.nn.Module",
    "Plain": "it is the class Plain, no subclass",
    "NoArguments": r"NoArguments\(config\) fails \(TypeError: ",
    "ThreeInputs": r"TypeError: .*takes 4 positional arguments but 5 were given",
    "Crash": r"video \(2, 10, 3\) and audio \(2, 16, 101\): RuntimeError: mat1 .*, mine.py:39\)?",
    "NoMask": r"without video \(a mask that is False\): its logits are not finite",
    "Twice": "head.weight and again.weight are one tensor",
    "Frozen": "no parameter that can be trained",
    "Wrong": "Wrong.streams is 'sound'; choose both, audio, video",
    "Menn": "mine has no 'Menn'; did you mean mine:Mean",
}
BODIES = {
    "super().forward(*inputs)[:, :2]": r"returns shape \(2, 2\), not logits \(2, 3\)",
    "(super().forward(*inputs),)": r"returns tuple, not logits \(2, 3\)",
    "super().forward(*inputs).detach()": "it has no gradient",
    "super().forward(*inputs) - super().forward(*inputs).mean(0)": "change with the other windows",
    "super().forward(*inputs).long()": "its logits are not finite numbers",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_class_that_does_not_fit_is_refused_in_one_line(module, name):
    module(CODE + REST.replace("{body}", "0"))
    with pytest.raises(ConfigError, match=REFUSED[name]) as refused:
        new_network(f"mine:{name}", SPEC)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("body", BODIES)
def test_logits_that_do_not_fit_are_refused(module, body):
    module(CODE + REST.replace("{body}", body))
    with pytest.raises(ConfigError, match=BODIES[body]):
        new_network("mine:Other", SPEC)


def test_modules_that_cannot_be_imported(module):
    with pytest.raises(ConfigError, match="there is no module 'nowhere'; install the package"):
        new_network("nowhere.at.all:Net", SPEC)
    for code, found in {
        "import nowhere_either": "No module named 'nowhere_either', broken.py:1",
        "def x(:": "SyntaxError: invalid syntax",
        "raise SystemExit": "importing broken fails",
    }.items():
        with pytest.raises(ConfigError, match=found):
            new_network(f"{module(code, 'broken')}:Net", SPEC)
    for name in ("mine:", ":Mean", "mi ne:Mean", "mine:Mean.x"):
        with pytest.raises(ConfigError, match=r"write package\.module:Name"):
            new_network(name, SPEC)


def test_a_checkpoint_needs_the_class_that_was_trained(module, tmp_path):
    module(CODE)
    config, data = TrainConfig(epochs=1, metric="none"), make_samples(6)
    fit(new_network("mine:Mean", SPEC), config, data, out=tmp_path / "run")

    module(CODE + "\n# a comment\nclass Another: pass\n")
    load_checkpoint(tmp_path / "run")
    fit(new_network("mine:Mean", SPEC), config, data, out=tmp_path / "run")  # done already

    for old, new in (("clamp(min=1)", "clamp(min=2)"), ("WIDTH = 8", "WIDTH = 9")):
        module(CODE.replace(old, new))  # a function and a constant that the class uses
        with pytest.raises(CheckpointError, match="mine:Mean has changed since the training"):
            load_checkpoint(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"existing run uses different settings: .*network_code"):
        fit(new_network("mine:Mean", SPEC), config, data, out=tmp_path / "run")

    module("x = 1")
    with pytest.raises(CheckpointError, match="mine has no 'Mean'"):
        load_checkpoint(tmp_path / "run")
    (tmp_path / "mine.py").unlink()
    sys.modules.pop("mine")
    importlib.invalidate_caches()
    code_hash.cache_clear()
    with pytest.raises(CheckpointError, match="there is no module 'mine'") as refused:
        load_checkpoint(tmp_path / "run")
    assert "run avtca in the folder of the file" in str(refused.value)
