"""Cross-validations on the made corpus of tests/training, and copies of it."""

import json
import shutil


def cross_validated(folder, out, *, prepared="prepared", variant="concatenation", data=(), **train):
    """A cross-validation in ``folder / out`` on a corpus of ``folder``, and its folder."""
    from avtca.training.config_file import check_experiment
    from avtca.training.cross_validate import cross_validate
    from avtca.training.fold import load_data_module

    values = {
        "name": out,
        "data": {
            "corpus": str(folder / prepared),
            "folds": str(folder / "folds.json"),
            **dict(data),
        },
        "model": {
            "variant": variant,
            "sizes": {"video_widths": [8, 8, 8, 8], "audio_widths": [8, 8, 8, 8]},
        },
        "train": {"epochs": 4, "batch_size": 8, "optimiser": {"learning_rate": 0.02}, **train},
    }
    experiment = check_experiment(values, action="test")
    cross_validate(experiment, load_data_module(experiment), folder / out)
    return folder / out


def altered(prepared, out, *, name=None, targets=None, columns=None):
    """A copy of a prepared corpus with another name, more targets, or other manifest columns."""
    import pandas as pd

    shutil.copytree(prepared, out)
    head = json.loads((out / "corpus.json").read_text())
    head["corpus"] = name or head["corpus"]
    head["targets"] |= targets or {}
    (out / "corpus.json").write_text(json.dumps(head))
    manifest = pd.read_parquet(out / "manifest.parquet")
    for column, values in (columns or {}).items():
        manifest[column] = values
    manifest.to_parquet(out / "manifest.parquet")
    return out
