"""A user's function that lists samples, with features of their own, or one clear line."""

import importlib
import sys

import numpy as np
import pytest
from corpora_made import write_wav

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus
from avtca.corpora.index import SYNTHETIC
from avtca.errors import ConfigError, CorpusError

CODE = """
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from avtca.corpora import CorpusIndex, SampleSource

def index(root, spec):
    sources = [
        SampleSource(path.stem, path.stem[0], "happy", audio=path, fields={"day": path.stem[1:]})
        for path in sorted(root.glob("*.wav"))
    ]
    return CorpusIndex("mine", root, ("happy", "sad"), tuple(sources), language="de")

def changed(**changes):
    def other(root, spec):
        plain = index(root, spec)
        first = replace(plain.sources[0], **changes)
        return replace(plain, sources=(first, *plain.sources[1:]))
    return other

@dataclass(frozen=True)
class Counted:
    path: Path
    broken: str = ""
    @property
    def name(self):
        return self.path.name
    def load(self):
        times, values = np.arange(4) / 10, np.arange(8, dtype=np.float32).reshape(4, 2)
        if self.broken == "crash":
            return undefined
        if self.broken == "shape":
            return times, values[:3]
        if self.broken == "nan":
            return times, np.full((4, 2), np.nan, np.float32)
        if self.broken == "order":
            return times[::-1], values
        return times, values

def counted(root, spec):
    kinds = ("", "crash", "shape", "nan", "order")
    plain = index(root, spec)
    return replace(plain, sources=tuple(
        replace(one, audio=None, audio_series=Counted(one.audio, kind))
        for one, kind in zip(plain.sources, kinds, strict=True)
    ))

def crash(root, spec):
    return root / 1

def nothing(root, spec):
    pass

number = 3
label = changed(label="angry")
speaker = changed(speaker=3)
path = changed(audio="a.wav")
files = changed(audio=None)
field = changed(fields={"label": "sad"})
name = changed(sample_id="")
"""


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """A folder of clips, with the module ``mine`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    importlib.invalidate_caches()
    root = tmp_path / "clips"
    for k, name in enumerate(("a1", "a2", "b1", "b2", "c1")):
        write_wav(root / f"{name}.wav", seed=k)
    before = [*sys.path]
    yield root
    sys.path[:] = before
    sys.modules.pop("mine", None)


def test_its_samples_are_prepared(clips, tmp_path):
    found = index_corpus("mine:index", clips, ClipSpec())
    build_cache(found, tmp_path / "out", ClipSpec())
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.name == "mine"
    assert [*corpus.manifest["sample_id"]] == ["a1", "a2", "b1", "b2", "c1"]
    assert corpus.manifest["speaker"].tolist() == ["a", "a", "b", "b", "c"]
    assert corpus.manifest["day"].tolist() == ["1", "2", "1", "2", "1"]
    (clips / "synth.json").write_text("{}")
    marked = index_corpus("mine:index", clips, ClipSpec())
    assert (marked.corpus, marked.notes) == ("synthetic", (SYNTHETIC,))


def test_features_are_computed_once_and_bad_ones_are_listed(clips, tmp_path):
    spec = ClipSpec(audio="features", audio_dim=2, sample_rate=1000, hop=100, window_s=1)
    summary = build_cache(index_corpus("mine:counted", clips, spec), tmp_path / "out", spec)
    assert summary.prepared == 1
    why = {sample: reason for sample, _, reason in summary.failures}
    assert "NameError: name 'undefined' is not defined, mine.py:" in why["a2"]
    assert "times (4,) and values (3, 2)" in why["b1"]
    assert all("not finite, or times out of order" in why[name] for name in ("b2", "c1"))
    corpus = PreparedCorpus.open(tmp_path / "out")
    np.testing.assert_array_equal(corpus.raw("a1").audio, np.arange(8).reshape(4, 2).T)
    assert corpus.manifest["duration_s"].tolist() == [pytest.approx(0.4)]


@pytest.mark.parametrize(
    ("name", "found"),
    {
        "number": "it is of type int, no function",
        "crash": "the function fails .TypeError: .*mine.py:",
        "nothing": "the function returns a NoneType, no CorpusIndex",
        "label": "sample 'a1': its label 'angry' is not among happy, sad",
        "speaker": "sample 'a1': its speaker is 3, not text",
        "path": "sample 'a1': its audio is 'a.wav', not a pathlib.Path",
        "files": "sample 'a1': it has no file",
        "field": "sample 'a1': its field 'label' has a reserved name",
        "name": "sample '': it has no sample_id",
    }.items(),
)
def test_an_index_that_does_not_fit_is_refused_in_one_line(clips, name, found):
    with pytest.raises(CorpusError, match=found) as refused:
        index_corpus(f"mine:{name}", clips, ClipSpec())
    assert "\n" not in str(refused.value)


def test_functions_that_are_not_there(clips):
    with pytest.raises(ConfigError, match="mine has no 'indx'; did you mean mine:index"):
        index_corpus("mine:indx", clips, ClipSpec())
    with pytest.raises(ConfigError, match="there is no module 'nowhere'"):
        index_corpus("nowhere:index", clips, ClipSpec())
    with pytest.raises(CorpusError, match=r"choose one of .*, or package.module:function"):
        index_corpus("iemocap", clips, ClipSpec())
