"""Networks of a user's own: ``model.variant: package.module:Class`` (docs/add_a_network.md).

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps.
"""

import ast
import copy
import hashlib
import inspect
import sys
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from avtca.clipspec import ClipSpec
from avtca.errors import ConfigError
from avtca.model.config import ModelConfig
from avtca.model.network import FusionNetwork, ModelOutput, Streams
from avtca.model.streams import given_mask, zero_masked
from avtca.plugins import is_own, load_own, one_line

STREAMS = ("both", "audio", "video")
GUIDE = "see docs/add_a_network.md"


class OwnNetwork(FusionNetwork):
    """A user's class as a network of avtca.

    The class is a ``torch.nn.Module``, made as ``Class(config, **config.arguments)``. Its
    ``forward(video, audio, video_mask, audio_mask)`` takes what :meth:`AVTCA.forward` takes and
    returns logits ``(b, n_labels)``. Values at masked steps are zero when they arrive. A class
    that reads one modality has the attribute ``streams = "audio"`` or ``"video"``.

    Raises:
        ConfigError: There is no such class, it is no ``torch.nn.Module``, or making it fails.
    """

    def __init__(self, variant: str, config: ModelConfig) -> None:
        super().__init__()
        self.variant, self.config = variant, config
        action = f"build the network {variant}"
        made = network_class(variant)
        try:
            self.network: nn.Module = made(config, **(config.arguments or {}))
        except Exception as error:
            name, arguments = made.__name__, ", ".join(config.arguments or {})
            call = f"{name}(config{', ' if arguments else ''}{arguments})"
            raise ConfigError(action, f"{call} fails ({one_line(error)})", GUIDE) from error
        streams = getattr(made, "streams", "both")
        if streams not in STREAMS:
            raise ConfigError(
                action, f"{made.__name__}.streams is {streams!r}", f"choose {', '.join(STREAMS)}"
            )
        self.streams = cast(Streams, streams)

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> ModelOutput:
        """Predict; arguments as for :meth:`AVTCA.forward`. There are neither tokens nor maps."""
        video_mask = given_mask(video_mask, video)
        audio_mask = given_mask(audio_mask, audio.transpose(1, 2))
        video = zero_masked(video, video_mask)
        audio = zero_masked(audio.transpose(1, 2), audio_mask).transpose(1, 2)
        logits = self.network(video, audio, video_mask, audio_mask)
        none, nowhere = video.flatten(2)[:, :0], video_mask[:, :0]
        return ModelOutput(logits, none, none, nowhere, nowhere, {}, {})


def network_class(variant: str) -> type[nn.Module]:
    """The class that ``package.module:Class`` names.

    Raises:
        ConfigError: There is none, or it is no ``torch.nn.Module``.
    """
    action = f"use the network {variant}"
    found = load_own(variant, action)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        kind = (
            f"the class {found.__name__}"
            if isinstance(found, type)
            else f"a {type(found).__name__}"
        )
        raise ConfigError(action, f"it is {kind}, no subclass of torch.nn.Module", GUIDE)
    return found


@cache
def code_hash(variant: str) -> str:
    """Twelve hex digits that change when the code of a user's class does, comments apart.

    The code is the class, and what it uses of its own module. Empty for networks of avtca, and
    where there is no source.
    """
    if not is_own(variant):
        return ""
    found = network_class(variant)
    try:
        source = inspect.getsource(sys.modules[found.__module__])
        parts = _used(ast.parse(source), found.__name__)
    except (OSError, TypeError, SyntaxError):
        return ""
    return hashlib.sha256("".join(map(ast.dump, parts)).encode()).hexdigest()[:12]


def _used(module: ast.Module, name: str) -> list[ast.stmt]:
    """The statements of a module that define ``name``, and those that define what they use."""
    names, before = {name}, 0
    while len(names) > before:
        before = len(names)
        parts = [part for part in module.body if names & _defined(part)]
        nodes = (node for part in parts for node in ast.walk(part))
        names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return parts


def _defined(part: ast.stmt) -> set[str]:
    """Names that a statement of a module defines."""
    if isinstance(part, ast.FunctionDef | ast.ClassDef):
        return {part.name}
    if isinstance(part, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in part.names}
    stored = (node for node in ast.walk(part) if isinstance(node, ast.Name))
    return {node.id for node in stored if isinstance(node.ctx, ast.Store)}


def check_network(network: OwnNetwork, spec: ClipSpec) -> None:
    """Check that a network can be trained, saved and evaluated, on two windows of random input.

    Args:
        network: The network; not changed.
        spec: The model input.

    Raises:
        ConfigError: The first thing that does not fit.
    """
    action = f"train the network {network.variant}"
    network = copy.deepcopy(network)
    state = [(name, x) for name, x in network.state_dict(keep_vars=True).items() if x.numel()]
    if not any(x.requires_grad for _, x in state):
        raise ConfigError(action, "it has no parameter that can be trained", GUIDE)
    names = {x.data_ptr(): name for name, x in reversed(state)}
    for name, x in state:
        if names[x.data_ptr()] != name:
            first, second = (part.removeprefix("network.") for part in (names[x.data_ptr()], name))
            problem = f"{first} and {second} are one tensor, which a checkpoint cannot hold"
            raise ConfigError(action, problem, "register the module once, and call it twice")
    inputs = _random_inputs(spec)
    network.eval()
    with torch.no_grad():
        both = _logits(network, inputs, action, "")
        for at, missing in ((2, "video"), (3, "audio")):
            masked = [*inputs]
            masked[at] = torch.zeros_like(inputs[at])
            _logits(network, masked, action, f" without {missing} (a mask that is False)")
        alone = _logits(network, [part[:1] for part in inputs], action, " for a batch of one")
    if not torch.allclose(alone, both[:1], rtol=1e-3, atol=1e-3):
        raise ConfigError(
            action,
            "the logits of a window change with the other windows of its batch",
            "mix no rows of a batch in evaluation mode",
        )
    network.train()
    with torch.random.fork_rng(devices=[]):
        loss = _logits(network, inputs, action, " in training").square().sum()
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ConfigError(action, f"it has no gradient ({one_line(error)})", GUIDE) from error


def _random_inputs(spec: ClipSpec) -> list[Tensor]:
    """Two windows; the last third of the second is masked."""
    draw = torch.Generator().manual_seed(0)
    video = torch.rand(2, spec.video_steps, *spec.step_shape, generator=draw)
    audio = torch.randn(2, spec.audio_dim, spec.audio_steps, generator=draw)
    masks = [torch.ones(2, n, dtype=torch.bool) for n in (spec.video_steps, spec.audio_steps)]
    for mask in masks:
        mask[1, mask.shape[1] - mask.shape[1] // 3 :] = False
    return [video, audio, *masks]


def _logits(network: OwnNetwork, inputs: list[Tensor], action: str, case: str) -> Tensor:
    """The logits, if they are finite numbers of the right shape."""
    video, audio, *_ = inputs
    given = f"video {tuple(video.shape)} and audio {tuple(audio.shape)}"
    try:
        out: Any = network(*inputs).logits
    except Exception as error:
        raise ConfigError(action, f"{given}{case}: {one_line(error)}", GUIDE) from error
    shape = (len(video), network.config.n_labels)
    if not isinstance(out, Tensor) or tuple(out.shape) != shape:
        kind = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise ConfigError(
            action,
            f"{given}{case}: forward returns {kind}, not logits {shape}",
            "return one number for each of config.n_labels",
        )
    if not out.is_floating_point() or not torch.isfinite(out).all():
        raise ConfigError(
            action,
            f"{given}{case}: its logits are not finite numbers",
            "divide by no empty mask",
        )
    return out
