"""Trained runs on the made corpus of tests/training."""

import pytest
from trained_runs import cross_validated


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with ``prepared``, ``folds.json``, and cross-validations ``both`` and ``seen``."""
    import torch
    from made_corpus import make_corpus, make_folds

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluated")
    make_corpus(folder)
    make_folds(folder / "folds.json")
    for name, variant in (("both", "concatenation"), ("seen", "video_only")):
        cross_validated(folder, name, variant=variant)
    return folder


@pytest.fixture(scope="session")
def whole(made):
    """A cross-validation whose validation people were trained on like the others."""
    return cross_validated(made, "whole", data={"validation": "train"}, epochs=2, metric="none")


@pytest.fixture(scope="session")
def standardised(made):
    """A cross-validation on features standardised over each person's own samples."""
    return cross_validated(made, "own", data={"normalise": "speaker"}, epochs=1)
