"""A prepared corpus: what training and evaluation read."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.compat import KEYS
from avtca.corpora.cache_files import read_metadata, sample_path
from avtca.corpora.sample_file import read_sample
from avtca.errors import CorpusError
from avtca.labels import SENTIMENT
from avtca.preprocess import ModelInput, RawSample, WindowExtractor

VIEWABLE = ("labels", "n_fft", "hop", "audio", "audio_dim", "high_pass")
"""Fields of the ClipSpec that the stored samples do not depend on, see :meth:`PreparedCorpus.view`
(``window_s`` and ``video_steps`` neither, as long as the steps a second stay)."""


class PreparedCorpus:
    """A folder made by ``avtca prepare``, opened; samples are read from it one by one.

    ``manifest`` has one row a sample, sorted by sample; ``spec`` is the ClipSpec it was made with,
    ``labels`` the corpus's labels, ``meta`` the whole of ``corpus.json``.
    """

    def __init__(self, path: Path, spec: ClipSpec, meta: dict[str, Any]) -> None:
        import pandas as pd

        self.path, self.spec, self.meta = path, spec, meta
        self.labels: tuple[str, ...] = tuple(meta["labels"])
        try:
            manifest = pd.read_parquet(path / "manifest.parquet").rename(columns=KEYS)
            self.manifest: pd.DataFrame = manifest
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"open {path}", f"its manifest cannot be read ({error})", "run prepare again"
            ) from error
        if len(self.manifest) != meta["counts"]["samples"]:
            raise CorpusError(
                f"open {path}",
                f"its manifest has {len(self.manifest)} samples, corpus.json says "
                f"{meta['counts']['samples']}",
                "run prepare again",
            )

    @classmethod
    def open(cls, path: str | Path, spec: ClipSpec | None = None) -> "PreparedCorpus":
        """Open a cache; with ``spec``, only if it was made with it.

        Labels are not compared: they say what a network names, not how media were prepared.
        Raises :class:`CorpusError` for a folder that is no complete prepared corpus or of another
        format version, :class:`ClipSpecMismatch` naming the fields that differ.
        """
        folder = Path(path)
        action = f"open the prepared corpus {folder}"
        meta = read_metadata(folder, action)
        if not meta["complete"]:
            raise CorpusError(action, "its preparation was stopped", "run avtca prepare to its end")
        made = ClipSpec.from_dict(meta["spec"])
        if spec is not None:
            made.require(spec, action=action, ignore=("labels",))
        return cls(folder, made, meta)

    def view(self, spec: ClipSpec) -> "PreparedCorpus":
        """The same samples for another spec, where the stored media serve it unchanged.

        The audio features, the labels, and the window's length at the same steps a second may
        differ. Raises :class:`ClipSpecMismatch` for every other difference.
        """
        free = VIEWABLE if "features" not in (self.spec.audio, spec.audio) else ("labels",)
        if abs(self.spec.video_rate - spec.video_rate) < 1e-9:
            free = (*free, "window_s", "video_steps")
        self.spec.require(spec, action=f"view {self.path} through another spec", ignore=free)
        return PreparedCorpus(self.path, spec, self.meta)

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return str(self.meta["corpus"])

    @property
    def data_hash(self) -> str:
        """Twelve hex digits over every sample's file."""
        return str(self.meta["data_hash"])

    @property
    def samples(self) -> list[str]:
        """Names, in the manifest's order."""
        return [str(sample) for sample in self.manifest["sample_id"]]

    def __len__(self) -> int:
        return len(self.manifest)

    def raw(self, sample: str) -> RawSample:
        """One sample's steps, crops or features, and waveform or audio features.

        Raises :class:`CorpusError` where it is not there or its file is broken.
        """
        path = sample_path(self.path, sample)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CorpusError(
                f"read sample {sample} of {self.path}", f"no file for it ({error})", "prepare again"
            ) from error
        return read_sample(data, self.spec, name=sample).raw

    def raws(self, samples: Sequence[str] | None = None) -> Iterator[tuple[str, RawSample]]:
        """Takes one after another, all by default."""
        for sample in self.samples if samples is None else samples:
            yield sample, self.raw(sample)

    def windows(self, sample: str, hop_s: float | None = None) -> ModelInput:
        """The windows of a sample."""
        return WindowExtractor(self.spec).windows(self.raw(sample), hop_s)

    def target_names(self, name: str = "label") -> tuple[str, ...]:
        """What the columns of :meth:`targets` stand for."""
        self._require_target(name)
        labels = (SENTIMENT,) if name == SENTIMENT else self.labels
        return tuple(self.meta["classes"].get(name, labels))

    def targets(self, name: str = "label") -> NDArray[np.float32]:
        """What a network should say, float32 ``(n, k)``, k as in :meth:`target_names`.

        "label": one-hot of the label, a row of zeros where there is none. The corpus's own, of
        ``meta["targets"]`` and ``meta["classes"]``: soft labels ("voice", "face", "both") and
        majorities ("voted_both" ...) of CREMA-D's raters; several emotions at once ("multi"),
        intensities ("value") and classes of sentiment ("sentiment7" ...) of CMU-MOSEI. Raises
        :class:`CorpusError` for a name that is not there.
        """
        self._require_target(name)
        if name in self.meta["targets"]:
            return np.asarray(self.manifest[self.meta["targets"][name]], np.float32)
        words = np.array(self.target_names(name))
        hit: NDArray[np.bool_] = self.manifest[name].to_numpy(object)[:, None] == words
        return hit.astype(np.float32)

    def _require_target(self, name: str) -> None:
        known = ["label", *self.meta["targets"], *self.meta["classes"]]
        if name not in known:
            raise CorpusError(
                f"targets {name!r} of {self.name}",
                "it has none of that name",
                f"choose one of {', '.join(known)}",
            )

    def verify(self) -> None:
        """Hash every sample's file. Raises :class:`CorpusError` naming the first that changed."""
        for sample, wanted in zip(self.samples, self.manifest["clip_sha256"], strict=True):
            path = sample_path(self.path, sample)
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
            if found != wanted:
                raise CorpusError(
                    f"verify {self.path}",
                    f"sample {sample} is not what was prepared",
                    "prepare again",
                )
