"""A prepared corpus as WebDataset tars: samples are read one after another from any store.

A sample's files share the sample's name: ``.json`` (its row of the manifest, and the steps),
``.000.jpg ...`` (or ``.png``; crops in the order of the steps), ``.flac``, or ``.video.npy``,
``.audio.npy``, ``.audio_times.npy``, ``.wave.npy`` where the corpus holds these. ``shards.json``
names the tars, their hashes and the ClipSpec. The same corpus gives the same bytes.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.index import clip_path
from avtca.corpora.sample_file import RawSample, decode_flac, decode_pictures, empty_video
from avtca.corpora.splits import CrossValidationSplit
from avtca.corpora.store import write_json
from avtca.errors import ClipSpecMismatch, CorpusError

INDEX = "shards.json"
FORMAT = 1


def write_shards(
    corpus: PreparedCorpus,
    out: Path,
    *,
    max_bytes: int = 256_000_000,
    folds: CrossValidationSplit | None = None,
    fold: int = 0,
) -> dict[str, Any]:
    """Write tars of at most ``max_bytes`` (one sample at least) and return their index.

    With ``folds``, one series of tars for each side, and only samples that are on a side. Raises
    :class:`CorpusError` where the folder holds other shards or cannot be written.
    """
    action = f"write shards into {out}"
    if (out / INDEX).exists() or list(out.glob("*.tar")):
        raise CorpusError(action, "shards are there already", "choose an empty folder")
    samples = corpus.samples
    sides = {corpus.name: samples}
    if folds is not None:
        rows = folds.sides(corpus.manifest, fold)
        sides = {side: [samples[i] for i in found] for side, found in rows.items() if len(found)}
    entries: list[dict[str, Any]] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for side, names in sides.items():
            entries += _write_side(corpus, out, side, names, max_bytes)
        index = {
            "format": FORMAT,
            "corpus": corpus.name,
            "data_hash": corpus.data_hash,
            "spec": corpus.spec.to_dict(),
            "spec_hash": corpus.spec.hash,
            "labels": list(corpus.labels),
            "folds": None if folds is None else {"name": folds.name, "hash": folds.hash},
            "fold": None if folds is None else fold,
            "shards": entries,
        }
        write_json(out / INDEX, index)
    except OSError as error:
        raise CorpusError(action, str(error), "make room, empty the folder, try again") from error
    return index


def _write_side(
    corpus: PreparedCorpus, out: Path, side: str, samples: list[str], max_bytes: int
) -> list[dict[str, Any]]:
    records = corpus.manifest.to_dict("records")
    rows = {row["sample_id"]: {str(k): v for k, v in row.items() if v == v} for row in records}
    entries: list[dict[str, Any]] = []
    waiting = [(sample, _members(corpus, sample, rows[sample])) for sample in samples[:1]]
    rest = iter(samples[1:])
    while waiting:
        name = f"{side}-{len(entries):06d}.tar"
        beside = out / f".{name}.part"
        count = 0
        try:
            with tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
                while waiting:
                    sample, members = waiting.pop()
                    size = sum(-(-len(data) // 512) * 512 + 512 for _, data in members)
                    if count and _padded(tar.offset + size) > max_bytes:
                        waiting.append((sample, members))
                        break
                    for suffix, data in members:
                        info = tarfile.TarInfo(f"{sample_name(sample)}.{suffix}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
                    count += 1
                    waiting = [(t, _members(corpus, t, rows[t])) for t in [next(rest, None)] if t]
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        digest = hashlib.sha256(beside.read_bytes()).hexdigest()
        beside.replace(out / name)
        size = (out / name).stat().st_size
        entries.append({"file": name, "samples": count, "bytes": size, "sha256": digest})
    return entries


def _padded(offset: int) -> int:
    """Size of a tar whose last member ends at ``offset``."""
    record = tarfile.RECORDSIZE
    return -(-(offset + 2 * tarfile.BLOCKSIZE) // record) * record


def sample_name(sample: str) -> str:
    """A sample's name in a tar: WebDataset splits at the first dot, and folders stay folders."""
    return sample.replace(".", "_").replace("/", "__")


def _members(corpus: PreparedCorpus, sample: str, row: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The sample's files, as they are in the cache: nothing is coded again."""
    from safetensors.numpy import load

    tensors = load(clip_path(corpus.path, sample).read_bytes())
    out = [("json", json.dumps({**row, "steps": tensors["steps"].tolist()}).encode())]
    if "images" in tensors:
        data, start = tensors["images"].tobytes(), 0
        kind = "png" if corpus.meta["lossless"] else "jpg"
        for k, end in enumerate(tensors["image_ends"].tolist()):
            out.append((f"{k:03d}.{kind}", data[start:end]))
            start = end
    if "flac" in tensors:
        out.append(("flac", tensors["flac"].tobytes()))
    for name in ("video", "wave", "audio", "audio_times"):
        if name in tensors:
            buffer = io.BytesIO()
            np.save(buffer, tensors[name])
            out.append((f"{name}.npy", buffer.getvalue()))
    return out


def read_shards(
    folder: Path, spec: ClipSpec | None = None
) -> Iterator[tuple[dict[str, Any], RawSample]]:
    """``(row of the manifest, sample)`` of every sample, tar by tar.

    Raises :class:`CorpusError` where the index or a tar is missing or broken,
    :class:`ClipSpecMismatch` where the shards were made with another spec.
    """
    action = f"read the shards in {folder}"
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        made = ClipSpec.from_dict(index["spec"])
        if spec is not None:
            made.require(spec, action=action, ignore=("labels",))
        for entry in index["shards"]:
            if (folder / entry["file"]).stat().st_size != entry["bytes"]:
                raise ValueError(f"{entry['file']} is cut short")
            for members in _samples(folder / entry["file"]):
                yield _sample(members, made)
    except ClipSpecMismatch:
        raise
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise CorpusError(action, f"broken or missing ({error!r})", "write them again") from error


def _samples(path: Path) -> Iterator[dict[str, bytes]]:
    name, members = "", dict[str, bytes]()
    with tarfile.open(path) as tar:
        for info in tar:
            stem, _, suffix = info.name.partition(".")
            file = tar.extractfile(info)
            if members and stem != name:
                yield members
                members = {}
            name = stem
            members[suffix] = file.read() if file else b""
    if members:
        yield members


def _sample(members: dict[str, bytes], spec: ClipSpec) -> tuple[dict[str, Any], RawSample]:
    row = json.loads(members["json"])
    steps = np.array(row.pop("steps"), np.int64)

    def array(name: str) -> NDArray[Any] | None:
        data = members.get(f"{name}.npy")
        return None if data is None else np.load(io.BytesIO(data), allow_pickle=False)

    pictures = [members[name] for name in sorted(members) if name.endswith((".jpg", ".png"))]
    video = decode_pictures(pictures) if pictures else array("video")
    wave = decode_flac(members["flac"]) if "flac" in members else array("wave")
    raw = RawSample(
        steps,
        empty_video(spec) if video is None else video,
        np.zeros(0, np.float32) if wave is None else wave,
        float(row["duration_s"]),
        array("audio"),
        array("audio_times"),
    )
    return row, raw
