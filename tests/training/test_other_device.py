"""A training step samples all that it draws to where the network is.

PyTorch's meta device stands for a graphics card: a tensor of it together with one of the
processor's raises, too.
"""

import pytest
import torch
from face_training import augment_faces
from small_spec import SPEC

from avtca.data.augment_config import Augmentation
from avtca.data.windows import Batch
from avtca.model import VARIANTS
from avtca.training.config import ModalityDropout, TrainConfig
from avtca.training.module import Training
from avtca.training.trainer import new_network

SEQUENCES = [name for name in VARIANTS if not name.startswith("no_")]
"""Those that need no pixels: the trunk's norms count real frames, which meta tensors cannot."""


def elsewhere(spec, b=4):
    video = torch.rand(b, spec.video_steps, *spec.step_shape)
    audio = torch.randn(b, spec.audio_dim, spec.audio_steps)
    batch = Batch(
        video,
        torch.ones(video.shape[:2], dtype=torch.bool),
        audio,
        torch.ones(b, spec.audio_steps, dtype=torch.bool),
        torch.eye(len(spec.labels))[torch.arange(b) % len(spec.labels)],
        torch.arange(b),
    )
    return Batch(*(part.to("meta") for part in batch))


@pytest.mark.parametrize("form", ["whole", "softhard", "none"])
@pytest.mark.parametrize("variant", SEQUENCES)
def test_a_step_mixes_no_devices(variant, form):
    spec = SPEC
    network = new_network(variant, spec, seed=0)
    settings = TrainConfig(
        modality_dropout=ModalityDropout(mode=form),
        augmentation=Augmentation(mixup=0.2),
        auxiliary_weight=0.3,
        class_weights=True,
        label_smoothing=0.1,
    )
    targets = torch.eye(len(spec.labels)).numpy()
    training = Training(network, settings, targets, steps=4).to("meta")
    loss = training.training_step(elsewhere(spec), 0)
    assert loss.device.type == "meta"


def test_faces_are_augmented_where_they_are():
    crops = augment_faces(
        torch.empty(2, 1, 32, 32, device="meta"), torch.Generator().manual_seed(0)
    )
    assert crops.device.type == "meta"
