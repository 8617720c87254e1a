"""The script that makes the paper's tables: its rows exist, and its table says what was found."""

import sys
from pathlib import Path

import pytest

from avtca.corpora import load_folds
from avtca.training.experiment import load_experiment

RUNS = Path(__file__).parents[2] / "runs"
sys.path.insert(0, str(RUNS))

import paper_tables  # noqa: E402

NETWORKS = {"figure", "it1", "it4", "ct1", "ct4", "it1_ct1"}
WITHOUT = {"no_channel", "no_local", "no_spatial"}


@pytest.mark.parametrize("corpus", paper_tables.CORPORA)
def test_every_row_is_an_experiment_under_both_protocols(corpus):
    told, rows = paper_tables.CORPORA[corpus], paper_tables.rows_of(corpus)
    assert set(rows) == NETWORKS | (set() if corpus == "mosei" else WITHOUT)
    assert set(told.paper) <= set(rows)
    for row, path in rows.items():
        experiment = load_experiment(path, [])
        assert experiment.model.variant == row
        assert experiment.train.optimiser.learning_rate == 0.01 and experiment.train.epochs == 128
        if told.apart:
            assert experiment.data.allow_leak
            apart = load_experiment(path, list(told.apart))
            assert not apart.data.allow_leak and load_folds(apart.data.folds).unit == "speaker"


def test_the_table_stands_beside_the_papers_figures():
    results = {
        "figure": {"random": {"accuracy": [0.8, 0.7, 0.9]}, "apart": {"accuracy": [0.6, 0.5, 0.7]}},
        "it1": {"random": {"accuracy": [0.75, None, None]}},
    }
    lines = paper_tables.markdown("ravdess", results).splitlines()
    assert lines[2] == "| network | paper | random | apart |"
    assert lines[4] == "| `figure` | 96.11 | 80.0 [70.0, 90.0] | 60.0 [50.0, 70.0] |"
    assert lines[5] == "| `it1` |  | 75.0 |  |"
