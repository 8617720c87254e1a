"""Vectors of a video backbone, kept beside a prepared corpus, so that it runs once and not in each
epoch. The folder is named by the backbone's weights: other weights never read these vectors.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.corpora.cache import PreparedCorpus
from avtca.errors import CorpusError
from avtca.files import write_atomic
from avtca.progress import ProgressHook, no_progress

if TYPE_CHECKING:
    from torch import nn

SAMPLES_PER_FILE = 64


def weights_hash(backbone: "nn.Module") -> str:
    """Sixteen hex digits over the names, shapes and values of all weights and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(backbone.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{type(backbone).__name__} {name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def cache_backbone_features(
    corpus: PreparedCorpus,
    backbone: "nn.Module",
    *,
    batch: int = 32,
    device: str = "cpu",
    progress: ProgressHook = no_progress,
) -> dict[str, NDArray[np.float32]]:
    """Run a backbone over every crop of a corpus, once.

    Files of :data:`SAMPLES_PER_FILE` samples are each written whole or not at all, so that an
    interrupted call resumes.

    Args:
        corpus: A corpus of crops.
        backbone: Crops ``(b, c, h, w)`` in 0..1 -> ``(b, width)``; runs in evaluation mode.
        batch: Crops in one run.
        device: A device of PyTorch.
        progress: Called with the number of samples done.

    Returns:
        Sample -> float32 ``(n, width)``, in the order of ``corpus.raw(sample).steps``.

    Raises:
        CorpusError: The corpus has no crops, or nothing can be written.
    """
    action = f"cache backbone features of {corpus.path}"
    if corpus.spec.video != "pixels":
        raise CorpusError(action, "it holds features, not crops", "prepare it with video='pixels'")
    folder = corpus.path / "trunk" / f"{weights_hash(backbone)}-{corpus.data_hash}"
    samples = corpus.samples
    out: dict[str, NDArray[np.float32]] = {}
    was_training = backbone.training
    backbone.eval()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(samples), SAMPLES_PER_FILE):
            path = folder / f"{start // SAMPLES_PER_FILE:05d}.safetensors"
            part = samples[start : start + SAMPLES_PER_FILE]
            out |= _part(path, corpus, part, backbone, batch, device)
            progress("face features", len(out), len(samples))
    except OSError as error:
        raise CorpusError(action, str(error), "make room and run it again") from error
    finally:
        backbone.train(was_training)
    return out


def _part(
    path: Path,
    corpus: PreparedCorpus,
    samples: list[str],
    backbone: "nn.Module",
    batch: int,
    device: str,
) -> dict[str, NDArray[np.float32]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    if path.is_file():
        try:
            kept: dict[str, NDArray[Any]] = load(path.read_bytes())
            if set(kept) == set(samples):
                return kept
        except SafetensorError:
            pass  # cut short by a crash of the machine: made again below
    made = {sample: _vectors(corpus, sample, backbone, batch, device) for sample in samples}
    width = max((v.shape[1] for v in made.values()), default=0)
    made = {sample: v if len(v) else np.zeros((0, width), np.float32) for sample, v in made.items()}
    write_atomic(path, save(made))
    return made


def _vectors(
    corpus: PreparedCorpus, sample: str, backbone: "nn.Module", batch: int, device: str
) -> NDArray[np.float32]:
    import torch

    crops = corpus.raw(sample).video
    out = [np.zeros((0, 0), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            part = crops[start : start + batch].astype(np.float32) / np.float32(255)
            part = part[:, None] if part.ndim == 3 else np.moveaxis(part, -1, 1)
            vectors = backbone(torch.from_numpy(np.ascontiguousarray(part)).to(device))
            out.append(vectors.float().cpu().numpy())
    return np.concatenate(out[1:]) if len(out) > 1 else out[0]
