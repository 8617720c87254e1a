"""Named pipes are read to their end, and never waited for without an end."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from media_clips import encode, levels, tone

from avtca.errors import MediaError
from avtca.media import open_media, pipe, probe
from avtca.media.pipe import PipeReader

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")


@pytest.fixture
def fifo(tmp_path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_is_read_like_the_file(tmp_path, fifo):
    path = encode(tmp_path / "a.mp4", pictures=levels(20), audios=[tone(2)])  # moov at the end
    writer = threading.Thread(target=lambda: fifo.write_bytes(path.read_bytes()))
    writer.start()
    clip = open_media(PipeReader(fifo))
    writer.join()
    wanted = open_media(path)
    assert (clip.name, clip.duration_s, clip.warnings) == (str(fifo), wanted.duration_s, [])
    for found, frame in zip(clip.frames(10), wanted.frames(10), strict=True):
        np.testing.assert_array_equal(found.rgb, frame.rgb)


@pytest.mark.parametrize("start", [b"", b"RIFF"])
def test_a_pipe_without_data_has_a_time_limit(fifo, monkeypatch, start):
    monkeypatch.setattr(pipe, "TIMEOUT_S", 0.2)
    writer = os.open(fifo, os.O_RDWR) if start else None
    if writer is not None:
        os.write(writer, start)
    with pytest.raises(MediaError, match=r"it is a pipe, and nothing was written to it for 0\.2 s"):
        open_media(PipeReader(fifo))
    if writer is not None:
        os.close(writer)


def test_what_is_copied_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "MAX_COPIED_BYTES", 2**30)
    monkeypatch.setattr(probe.tempfile, "tempdir", str(tmp_path))

    class Endless:
        name = "endless"
        given = 0

        def read(self, n):
            self.given += n
            return bytes(n) if self.given < 2**23 else b""

    with pytest.raises(MediaError, match="read endless: it is not a media file"):
        open_media(Endless())
    monkeypatch.setattr(probe, "MAX_COPIED_BYTES", 2**20)
    with pytest.raises(MediaError, match="read endless: it is longer than 0 GiB"):
        open_media(Endless())
    assert list(tmp_path.iterdir()) == []
