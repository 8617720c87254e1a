"""Trained runs on the made corpus of tests/training."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with ``prepared``, ``folds.json``, and cross-validations ``both`` and ``seen``."""
    import torch
    from made_corpus import make_corpus, make_folds

    from avtca.training.cv import cross_validate
    from avtca.training.experiment import check_experiment
    from avtca.training.run import load_material

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluated")
    make_corpus(folder)
    make_folds(folder / "folds.json")
    for name, variant in (("both", "concatenation"), ("seen", "video_only")):
        values = {
            "name": name,
            "data": {"corpus": str(folder / "prepared"), "folds": str(folder / "folds.json")},
            "model": {
                "variant": variant,
                "sizes": {"visual_widths": [8, 8, 8, 8], "sound_widths": [8, 8, 8, 8]},
            },
            "train": {"epochs": 4, "batch": 8, "optimiser": {"learning_rate": 0.02}},
        }
        experiment = check_experiment(values, asked="test")
        cross_validate(experiment, load_material(experiment), folder / name)
    return folder
