"""The page with an hour-long recording: what the browser keeps in memory."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from browser import audio_of, browser, frames_of, heap_mb, write_webm
from services import serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux: /proc"),
]
HOUR_S, PAUSE_S, FILE_MB = 3600, 10, 120
HEAP_MB, BROWSER_MB = 15, 120
"""What an hour may take: of JavaScript, and of all processes of the browser, whose decoders and
lanes take half of it."""


@pytest.fixture(scope="module")
def hour(corpora, tmp_path_factory):
    """A sentence, then a still picture for an hour; with 120 MB that players skip."""
    source = corpora / "cremad" / "1001_DFA_HAP_XX.flv"
    frames = [(time_s, rgb[::2, ::2]) for time_s, rgb in frames_of(source)[::4]]
    blank = np.full_like(frames[0][1], 90)
    frames += [(float(time_s), blank) for time_s in range(PAUSE_S, HOUR_S + 1, PAUSE_S)]
    path = write_webm(tmp_path_factory.mktemp("hour") / "hour.webm", frames, audio_of(source))
    with path.open("ab") as file:
        size = FILE_MB * 10**6
        file.write(b"\xec\x01" + size.to_bytes(7, "big"))  # an EBML element without meaning
        file.truncate(file.tell() + size)
    return path


def processes_mb(launched):
    """Private memory of the browser's processes."""
    found = launched.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    total = 0
    for process in found:
        status = Path(f"/proc/{process['id']}/status")
        total += int((re.search(r"RssAnon:\s+(\d+)", status.read_text()) or [0, 0])[1])
    return total / 1024


def test_an_hour_is_played_from_the_disk(hour, tmp_path):
    """The file is neither read into memory for the upload nor for playing, nor is the track big."""
    with serving(tmp_path / "data") as service, browser(hour, hour) as launched:
        service.ready()
        page = launched.new_page(base_url=str(service.client.base_url))
        page.set_default_timeout(60_000)
        page.goto("/")
        page.wait_for_selector(".empty")
        before, empty = processes_mb(launched), heap_mb(page)
        page.set_input_files("input[aria-label=recordings]", str(hour))
        highest, limit = 0.0, time.monotonic() + 120
        while not page.locator(".lane.scores").count():
            highest = max(highest, processes_mb(launched))
            assert time.monotonic() < limit, page.inner_text("main")
            page.wait_for_timeout(200)
        assert hour.stat().st_size > FILE_MB * 1e6
        assert page.get_attribute("video", "src").startswith("blob:")
        frames = page.evaluate(
            "async () => (await (await fetch('v1/jobs/' + "
            "(await (await fetch('v1/jobs')).json()).jobs[0].id + '/track')).json()).frames.length"
        )
        assert frames == pytest.approx(HOUR_S / PAUSE_S, abs=40)
        for key, at in (("End", HOUR_S), ("Home", 0)):
            page.keyboard.press(key)
            page.wait_for_function(
                f"() => Math.abs(document.querySelector('video').currentTime - {at}) < 1"
            )
        highest = max(highest, processes_mb(launched))
        assert highest - before < BROWSER_MB
        assert heap_mb(page) - empty < HEAP_MB
