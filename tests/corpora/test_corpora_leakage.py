"""The auditor: every kind of leak is found, clean splits are clean, and the mark stays."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpora_made import AUDIO
from make_folds import ravdess_samples

from avtca.corpora import (
    CrossValidationSplit,
    Fold,
    audit,
    build_cache,
    index_corpus,
    load_folds,
    random_folds,
)
from avtca.corpora.index import SYNTHETIC
from avtca.corpora.leakage import open_manifest, twin_keys
from avtca.corpora.media_hash import audio_hash, near_pairs, picture_hash
from avtca.corpora.splits import resolve_folds
from avtca.errors import CorpusError, LeakError
from avtca.labels import RAVDESS


def ravdess() -> pd.DataFrame:
    samples = ravdess_samples()
    return pd.DataFrame(
        {
            "sample_id": samples,
            "speaker": [sample[-2:] for sample in samples],
            "label": [RAVDESS[int(sample[6:8]) - 1] for sample in samples],
            "sex": ["male" if int(sample[-2:]) % 2 else "female" for sample in samples],
            "source_sha256": [f"{k:064x}" for k in range(len(samples))],
        }
    )


def by_sample(**sides: list[str]) -> CrossValidationSplit:
    parts = [frozenset(sides.get(side, [])) for side in ("train", "validation", "test")]
    return CrossValidationSplit("mine", "", "sample_id", (Fold(*parts),))


@pytest.mark.parametrize("name", ["ravdess_luna_5fold", "ravdess_6fold", "ravdess_released"])
def test_folds_by_actor_are_clean(name: str) -> None:
    report = audit(ravdess(), load_folds(name))
    assert (report.leaks, report.caveat, report.unassigned) == ((), "clean", 0)
    report.require_clean()


def test_the_papers_split_leaks_every_actor() -> None:
    report = audit(ravdess(), load_folds("paper_random_80_20"))
    assert report.counts["speakers"] == 24
    assert report.caveat == "LEAK: 24 speakers in two subsets"
    assert any("every speaker" in warning for warning in report.warnings)
    with pytest.raises(LeakError, match="24 speakers in two subsets"):
        report.require_clean()


def test_an_allowed_leak_keeps_its_caveat() -> None:
    report = audit(ravdess(), load_folds("paper_random_80_20"), allow_leak=True)
    report.require_clean()
    values = report.to_dict()
    assert values["leak"] and values["allowed"]
    assert values["caveat"].startswith("LEAK (allowed): 24 speakers")
    assert report.lines()[-1] == values["caveat"]


def test_twins_of_a_sample() -> None:
    samples = ["01-01-03-01-01-01-07", "02-01-03-01-01-01-07", "01-01-03-01-01-02-07"]
    manifest = pd.DataFrame({"sample_id": samples, "label": "happy"})
    report = audit(manifest, by_sample(train=samples[:1], test=samples[1:]))
    assert [leak.what for leak in report.leaks] == [tuple(samples[:2])]
    assert report.leaks[0].kind == "twins" and report.leaks[0].between == ("train", "test")
    assert "speakers are unknown and could not be checked" in report.warnings
    assert twin_keys(["a/03-01-03-01-01-01-07.wav", samples[0], "x.mp4", "x.wav", "y"]) == [
        "-01-03-01-01-01-07",
        "-01-03-01-01-01-07",
        "x",
        "x",
        "y",
    ]


def test_twins_on_one_side_are_no_leak() -> None:
    samples = ["01-01-03-01-01-01-07", "02-01-03-01-01-01-07", "01-01-03-01-01-02-08"]
    manifest = pd.DataFrame({"sample_id": samples, "label": "happy"})
    assert not audit(manifest, by_sample(train=samples[:2], test=samples[2:])).leaks


def test_identical_media_and_segments_of_one_file() -> None:
    manifest = pd.DataFrame(
        {
            "sample_id": list("abcd"),
            "speaker": list("pqrs"),
            "label": "sad",
            "source_sha256": ["1", "1", "2", "2"],
            "start_s": [0.0, 0.0, 0.0, 3.0],
        }
    )
    report = audit(manifest, by_sample(train=["a", "c"], test=["b", "d"]))
    assert [(leak.kind, leak.what) for leak in report.leaks] == [("identical", ("a", "b"))]


def test_balance_by_label_and_people() -> None:
    report = audit(ravdess(), load_folds("ravdess_released"))
    sides = report.balance["sex"][0]
    assert sides["test"] == {"female": 120, "male": 120}
    assert sides["train"] == {"female": 480, "male": 480}
    assert report.balance["label"][0]["validation"]["neutral"] == 16
    skewed = ravdess().query("sex == 'female' or speaker not in ['01', '03']")
    text = "\n".join(audit(skewed, load_folds("ravdess_released")).lines())
    assert "sex: 2 values, most uneven in fold 0 test: female 100%, in all 55%" in text


def test_rows_on_no_side_are_counted() -> None:
    manifest = ravdess().replace({"speaker": {"24": "30"}})
    assert audit(manifest, load_folds("ravdess_released")).unassigned == 60


@pytest.mark.slow
def test_ferplus_copies_across_its_own_splits(corpora: Path) -> None:
    """Counted without the auditor: pictures whose bytes stand in more than one split."""
    path = corpora / "ferplus" / "ferplus.npz"
    with np.load(path) as data:
        images, usage = data["images"], data["usage"]
    where: dict[bytes, set[int]] = {}
    for image, side in zip(images, usage, strict=True):
        where.setdefault(image.tobytes(), set()).add(int(side))
    across = sum(len(sides) > 1 for sides in where.values())
    manifest = open_manifest(path)
    report = audit(manifest, resolve_folds("column:split", manifest))
    assert report.counts["identical"] == across == 556
    assert report.counts["near"] == 160
    alike = []
    for leak in report.leaks:
        if leak.kind == "near":
            a, b = (images[int(name.split("#")[1])].ravel() for name in leak.what)
            assert not np.array_equal(a, b)
            alike.append(np.corrcoef(a, b)[0, 1])
    assert min(alike) > 0.85 and np.mean(np.array(alike) > 0.95) > 0.9
    with pytest.raises(LeakError):
        report.require_clean()


def face(seed: int, px: int = 64) -> np.ndarray:
    """A smooth random picture."""
    from PIL import Image

    small = np.random.default_rng(seed).uniform(0, 255, (6, 6)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((px, px), Image.Resampling.BICUBIC))


def test_pictures_coded_again_are_found_and_others_are_not() -> None:
    import io

    from PIL import Image

    faces = [face(seed) for seed in range(40)]
    buffer = io.BytesIO()
    Image.fromarray(faces[7]).save(buffer, "JPEG", quality=60)
    again = np.asarray(Image.open(buffer).resize((48, 48)))
    brighter = np.clip(faces[9] * 0.8 + 20, 0, 255).astype(np.uint8)
    hashes = [picture_hash(one) for one in [*faces, again, brighter]]
    assert [(i, j) for i, j, _ in near_pairs(hashes, 0.03)] == [(7, 40), (9, 41)]
    samples = [f"t{k}" for k in range(42)]
    manifest = pd.DataFrame({"sample_id": samples, "label": "sad", "picture_hash": hashes})
    report = audit(manifest, by_sample(train=samples[:40], test=samples[40:]))
    assert {leak.what for leak in report.leaks} == {("t7", "t40"), ("t9", "t41")}
    assert not audit(manifest, by_sample(train=samples[:40], test=samples[40:]), near=False).leaks


def test_near_pairs_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 2, (60, 128)).astype(bool)
    codes[20:40] = codes[:20] ^ (rng.random((20, 128)) < 0.04)
    hashes = [np.packbits(code).tobytes().hex() for code in codes]
    hashes[5] = ""
    plain = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if 5 not in (i, j) and (codes[i] != codes[j]).sum() <= 0.05 * 128
    ]
    assert len(plain) > 5
    assert [(i, j) for i, j, _ in near_pairs(hashes, 0.05)] == plain


def test_real_audio_through_other_codecs(corpora: Path, sample_clips: Path) -> None:
    """The FLAC and the mp4 of one sample are copies; other samples of the same actor are not."""
    from avtca.media import open_media

    def read(path: Path, rate: int) -> str:
        return audio_hash(np.concatenate(list(open_media(path).audio(rate))), rate)

    names = sorted((corpora / "ravdess" / "audio").glob("03-01-*-01.flac"))[:20]
    hashes = [read(path, 16_000) for path in names]
    hashes.append(read(sample_clips / "01-01-01-01-01-01-01.mp4", 22_050))
    pairs = near_pairs(hashes, 0.14)
    assert [(names[i].stem, j) for i, j, _ in pairs] == [("03-01-01-01-01-01-01", 20)]


def test_audios_too_short_or_silent_have_no_hash() -> None:
    assert audio_hash(np.zeros(8000, np.float32), 8000) == ""
    assert audio_hash(np.ones(100, np.float32), 8000) == ""
    assert picture_hash(np.zeros((0, 8, 8), np.uint8)) == ""
    assert near_pairs(["", ""], 0.5) == []


def test_a_cache_that_is_unfinished_or_of_another_version(wavs: Path, tmp_path: Path) -> None:
    build_cache(index_corpus("folder", wavs, AUDIO), tmp_path / "out", AUDIO)
    assert len(open_manifest(tmp_path / "out")) == 12
    head = tmp_path / "out" / "corpus.json"
    values = json.loads(head.read_text())
    for change, found in (
        ({"complete": False}, "its preparation was stopped"),
        ({"format": 99}, "format 99, this version of avtca reads 2"),
    ):
        head.write_text(json.dumps({**values, **change}))
        with pytest.raises(CorpusError, match=found):
            open_manifest(tmp_path / "out")


def test_what_is_synthetic_is_marked() -> None:
    manifest = ravdess().assign(corpus="synthetic")
    for name, caveat in (("ravdess_released", "no leak found"), ("paper_random_80_20", "LEAK")):
        report = audit(manifest, load_folds(name))
        assert report.caveat.startswith(caveat) and SYNTHETIC in report.caveat


def test_a_column_without_sides() -> None:
    with pytest.raises(CorpusError, match="split by column split: it is empty"):
        resolve_folds("column:split", ravdess().assign(split=None))


def test_manifests_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        open_manifest(tmp_path / "no.parquet")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(CorpusError, match="no manifest"):
        open_manifest(tmp_path / "x.txt")
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(CorpusError, match="cannot be read"):
        open_manifest(tmp_path / "x.parquet")
    with pytest.raises(CorpusError, match="no samples"):
        audit(pd.DataFrame({"label": ["sad"]}), random_folds(["a"]))
    (tmp_path / "m.csv").write_text("path,label,speaker\na.mp4,sad,p\nb.mp4,sad,p\n")
    report = audit(open_manifest(tmp_path / "m.csv"), by_sample(train=["a.mp4"], test=["b.mp4"]))
    assert report.leaks[0].kind == "speakers"
