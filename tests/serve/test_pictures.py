"""JPEGs of live sessions: decoded in a process that a hostile one ends, and nothing else."""

import io
import os
import random
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from mutants import MUTATIONS
from PIL import Image

from avtca.serve import pictures
from avtca.serve.pictures import BadPicture, PictureDecoder, decode_picture

N_MUTANTS, MAX_PIXELS = 600, 640 * 480


def jpeg(rgb, **options):
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def rgb():
    small = np.random.default_rng(0).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((320, 240)))


@pytest.fixture(scope="module")
def decoder():
    decoder = PictureDecoder(MAX_PIXELS)
    decoder.ready()
    yield decoder
    decoder.close()


def attempt(decoder, data):
    """The picture, or why there is none."""
    try:
        return decoder.decode(data)
    except BadPicture as error:
        return error.problem


def sized(data, width, height):
    """A JPEG whose header claims another size."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


def test_pictures_are_those_of_pillow(decoder, rgb):
    turned = Image.Exif()
    turned[pictures.ORIENTATION] = 6
    grey = Image.fromarray(rgb).convert("L")
    cmyk = Image.fromarray(rgb).convert("CMYK")
    for data in (
        jpeg(rgb),
        jpeg(rgb, progressive=True),
        jpeg(rgb, exif=turned),
        jpeg(np.asarray(grey)),
        jpeg(rgb[:16, :16]),
    ):
        assert (decoder.decode(data) == decode_picture(data, MAX_PIXELS)).all()
    assert decoder.decode(jpeg(rgb, exif=turned)).shape == (320, 240, 3)
    out = io.BytesIO()
    cmyk.save(out, "JPEG")
    assert decoder.decode(out.getvalue()).shape == (240, 320, 3)


def test_limits_of_size_and_scans(decoder, rgb):
    good = jpeg(rgb)
    assert attempt(decoder, sized(good, 65_500, 65_500)) == "it has over 307200 pixels"
    assert attempt(decoder, sized(good, 9000, 9000)) == "it has 9000 x 9000 pixels"
    assert attempt(decoder, sized(good, 641, 480)) == "it has 641 x 480 pixels"
    assert attempt(decoder, jpeg(rgb[:15])) == "it has 320 x 15 pixels"
    assert attempt(decoder, good + b"\xff\xda" * 32) == "it has more than 32 scans"
    for data in (b"", b"\xff\xd8", good[:200], b"GIF89a" + bytes(100), jpeg(rgb)[::-1]):
        assert attempt(decoder, data) == "it is damaged, or not a JPEG"


def test_mutated_pictures_leave_the_process_as_it_was(decoder, rgb):
    """Each is decoded, or refused for a reason; memory does not grow."""
    rng = random.Random(7)
    originals = [jpeg(rgb), jpeg(rgb, progressive=True), jpeg(rgb, quality=95, subsampling=0)]
    process, memory = decoder.process, []
    problems = set()
    for k in range(N_MUTANTS):
        mutate = MUTATIONS[k % len(MUTATIONS)]
        data = mutate(rng.choice(originals), rng, rng.choice(originals))
        found = attempt(decoder, data)
        if isinstance(found, str):
            problems.add(re.sub(r"\d+", "#", found))
        else:
            assert found.dtype == np.uint8 and found.size <= 3 * MAX_PIXELS
        memory.append(memory_mb(decoder))
    damaged = {"it is damaged, or not a JPEG"}
    sizes = {"it has # x # pixels", "it has over # pixels", "it has more than # scans"}
    assert damaged < problems <= damaged | sizes
    assert decoder.process is process and process.is_alive()
    assert max(memory[-100:]) < max(memory[100:200]) + 8
    assert (decoder.decode(originals[0]) == decode_picture(originals[0], MAX_PIXELS)).all()


def memory_mb(decoder):
    path = Path(f"/proc/{decoder.process.pid}/status")
    if not path.exists():
        return 0
    return int(re.search(r"VmRSS:\s+(\d+)", path.read_text())[1]) / 1024


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_process_that_ends_or_stalls_is_replaced(rgb, monkeypatch):
    decoder, data = PictureDecoder(MAX_PIXELS), jpeg(rgb)
    decoder.ready()
    first = decoder.process.pid
    os.kill(first, signal.SIGSEGV)
    ended = "the process that decoded it took too long, or ended"
    assert attempt(decoder, data) == ended
    assert decoder.decode(data).shape == rgb.shape and decoder.process.pid != first
    monkeypatch.setattr(pictures, "DECODE_S", 0.1)
    os.kill(decoder.process.pid, signal.SIGSTOP)
    assert attempt(decoder, data) == ended
    assert decoder.process is None
    assert decoder.decode(data).shape == rgb.shape
    decoder.close()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux: /proc")
def test_the_process_has_no_files_and_little_memory(decoder):
    limits = Path(f"/proc/{decoder.process.pid}/limits").read_text()
    found = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert found["Max open files"] == "64" and found["Max file size"] == "0"
    assert found["Max address space"] != "unlimited"
