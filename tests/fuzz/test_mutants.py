"""200 damaged files: each is answered with care or refused in one line.

``python benchmarks/fuzz.py`` runs thousands.
"""

import os
from itertools import islice
from pathlib import Path

import pytest
from limited import recognise
from mutants import make_clips, mutants, recording

N, PARTS = 200, 4
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    shared = os.environ.get("AVTCA_SHARED", Path(__file__).resolve().parents[3] / "shared")
    return make_clips(recording(Path(shared), folder), folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_files(clips, tmp_path, part):
    files = list(islice(mutants(clips, N, seed=0), part, N, PARTS))
    for mutant in files:
        (tmp_path / mutant.name).write_bytes(mutant.data)
    outcomes = list(recognise(tmp_path / mutant.name for mutant in files))
    faults = {
        f"{mutant.name}, {mutant.what}": fault
        for mutant, outcome in zip(files, outcomes, strict=True)
        if (fault := mutant.fault(outcome))
    }
    assert faults == {}
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds.count("answered") > 10 and kinds.count("clean error") > 5


def test_whole_files_are_answered(clips, tmp_path):
    for name, data in clips.items():
        (tmp_path / name).write_bytes(data)
    outcomes = dict(zip(clips, recognise(tmp_path / name for name in clips), strict=True))
    assert {name for name, outcome in outcomes.items() if outcome.kind != "answered"} == set()
    assert {name for name, outcome in outcomes.items() if outcome.read < 0.99} == set()
