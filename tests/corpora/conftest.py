"""Small corpora: real samples of RAVDESS by link, and sounds made here."""

from pathlib import Path

import pytest
from corpora_made import write_wav


@pytest.fixture(scope="session")
def ravdess_some(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audio-only RAVDESS: eight samples of actors 1, 2 and 5, and the features of all."""
    source = corpora / "ravdess"
    root = tmp_path_factory.mktemp("ravdess")
    (root / "audio").mkdir()
    for sample in ("01-01-01-01", "05-02-01-01", "08-01-02-02"):
        for actor in ("01", "02", "05"):
            name = f"03-01-{sample}-{actor}.flac"
            if (sample, actor) != ("08-01-02-02", "05"):
                (root / "audio" / name).symlink_to(source / "audio" / name)
    for name in ("face_sequences.npz", "action_units_clip.csv"):
        (root / name).symlink_to(source / name)
    return root


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    """A folder corpus: two labels, three speakers, two clips of each."""
    root = tmp_path / "wavs"
    for k, (label, speaker, n) in enumerate(
        (label, speaker, n) for label in ("happy", "sad") for speaker in "abc" for n in range(2)
    ):
        write_wav(root / label / speaker / f"{n}.wav", seed=k)
    return root
