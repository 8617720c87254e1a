"""Take the pictures of docs/page.md and docs/coding.md: the page in Chromium, with real clips.

Usage: page_pictures.py [NAME ...] with names of pictures, by default all. That of the camera states
delays, and wants an idle machine. Reads the clips of ``../shared`` (or ``AVTCA_SHARED``) and writes
``docs/img/page-*.png``.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from browser import audio_of, browser, frames_of, write_camera, write_webm  # noqa: E402
from services import serving  # noqa: E402

from avtca.plots.style import LABEL_COLOURS  # noqa: E402

SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
CREMAD = SHARED / "corpora" / "cremad"
GRID = SHARED / "talking"
SECOND = """start,end,label,tier
0,2.2,angry,CD
2.2,4.9,disgust,CD
4.9,7.1,fear,CD
7.1,9.1,surprise,CD
9.1,10.9,sad,CD
10.9,12.8,sad,CD
"""


def joined(path: Path) -> Path:
    """The six CREMA-D clips of actor 1001, one after another."""
    frames, audio, start = [], [], 0.0
    for clip in sorted(CREMAD.glob("*.flv")):
        sound = audio_of(clip)
        frames += [(start + time, rgb) for time, rgb in frames_of(clip)]
        audio.append(sound)
        start = max(start + len(sound) / 48_000, frames[-1][0] + 0.04)
    return write_webm(path, frames, np.concatenate(audio))


def side_by_side(path: Path) -> Path:
    """Two speakers of GRID side by side, who say a sentence twice, one after another."""
    left, right = GRID / "lwbsza.mpg", GRID / "bbaf2n.mpg"
    pairs = list(zip(frames_of(left), frames_of(right), strict=False))
    end = pairs[-1][0][0] + 0.04
    frames = [
        (part * end + time, np.hstack([a, b])) for part in range(4) for (time, a), (_, b) in pairs
    ]
    heard = [np.resize(audio_of(clip), round(end * 48_000)) for clip in (left, right)]
    return write_webm(path, frames, np.concatenate([heard[part // 2] for part in range(4)]))


def picture(page: Any, name: str) -> None:
    """Save the whole page, with few colours."""
    page.mouse.move(2, 2)
    page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    page.wait_for_timeout(400)
    crop(page, name, None)


def crop(page: Any, name: str, area: dict[str, float] | None) -> None:
    """Save a part of what the page shows, or all."""
    path = ROOT / "docs" / "img" / f"page-{name}.png"
    page.screenshot(path=path, full_page=area is None, clip=area)
    image = Image.open(path).convert("RGB")
    # The colours of labels fill few pixels and have to be in the palette all the same.
    swatches = Image.new("RGB", (image.width, image.height + 20 * len(LABEL_COLOURS)))
    swatches.paste(image)
    for i, colour in enumerate(LABEL_COLOURS.values()):
        swatches.paste(colour, (0, image.height + 20 * i, image.width, image.height + 20 * (i + 1)))
    image.quantize(palette=swatches.quantize(256)).save(path, optimize=True)
    print(path, image.size, path.stat().st_size // 1000, "kB")


def seek(page: Any, share: float) -> None:
    """Click into the first lane of scores."""
    lane = page.locator(".lane.scores .lane-area canvas").first
    lane.scroll_into_view_if_needed()
    area = lane.bounding_box()
    page.mouse.click(area["x"] + share * area["width"], area["y"] + 20)
    page.wait_for_timeout(600)


def drag(page: Any, from_share: float, to_share: float) -> None:
    """Drag a range in the coder's lane."""
    lane = page.locator(".coding-lane canvas").first
    lane.scroll_into_view_if_needed()
    area = lane.bounding_box()
    x = [area["x"] + share * area["width"] for share in (from_share, to_share)]
    page.mouse.move(x[0], area["y"] + 8)
    page.mouse.down()
    page.mouse.move(x[1], area["y"] + 8, steps=3)
    page.mouse.up()
    page.wait_for_selector(".coding-lane[data-busy]", state="detached")


def code(page: Any) -> None:
    """Code the recording in view blind, and compare it with the model."""
    page.fill("#coder-name", "AB")
    page.click("text=Start coding")
    edges = (0.01, 0.17, 0.37, 0.54, 0.65, 0.7, 0.84, 0.99)
    ranges = zip(edges, edges[1:], ("1", "2", "3", "4", "x", "5", "6"), strict=False)
    for from_share, to_share, key in ranges:
        drag(page, from_share + 0.01, to_share)
        page.keyboard.press(key)
        page.keyboard.press("Escape")
    page.wait_for_selector(".toast:empty", state="attached")


def recordings(page: Any, clips: list[Path], wanted: set[str]) -> None:
    """The view of recordings, in both themes and on a phone."""
    page.set_input_files("input[type=file]", [str(clips[0])])
    page.locator(".dot").first.wait_for()
    page.click("summary >> text=Settings")
    page.select_option("#model", "avt-ca")
    page.set_input_files("input[type=file]", [str(clips[1])])
    page.locator(".file-list .dot").nth(1).wait_for()
    page.select_option("#model", "default")
    singles = [CREMAD / f"1001_DFA_{name}_XX.flv" for name in ("ANG", "FEA", "SAD")]
    page.set_input_files("input[type=file]", [str(path) for path in singles])
    page.locator(".file-list .dot").nth(4).wait_for()
    page.click("summary >> text=Settings")
    page.wait_for_timeout(1500)
    page.click(".file >> nth=0")
    page.wait_for_timeout(2500)
    seek(page, 0.63)
    if "recording" in wanted:
        picture(page, "recording")
    page.click(".file >> nth=1")
    page.wait_for_timeout(2500)
    page.select_option("select[aria-label=colours]", "dark")
    seek(page, 0.32)
    page.click(".chips button >> nth=1")
    if "persons" in wanted:
        picture(page, "persons")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(1500)
    seek(page, 0.79)
    page.select_option("select[aria-label=colours]", "light")
    if "phone" in wanted:
        picture(page, "phone")
    page.set_viewport_size({"width": 1366, "height": 900})
    if not wanted & {"coding", "agreement"}:
        return
    page.click(".file >> nth=0")
    page.wait_for_timeout(2500)
    code(page)
    picture(page, "coding")
    content = {"name": "CD.csv", "mimeType": "text/csv", "buffer": SECOND.encode()}
    page.set_input_files("input[aria-label=coding]", content)
    page.wait_for_selector(".coding-lane >> nth=1", state="attached")
    page.click("summary:text-is('Agreement')")
    page.click(".blind-state summary")
    page.click("[data-role=reveal]")
    page.select_option("select[aria-label=second]", label="CD")
    page.wait_for_selector("[data-role=kappa]")
    page.wait_for_selector(".toast:empty", state="attached")
    view = page.locator(".agreement")
    view.scroll_into_view_if_needed()
    crop(page, "agreement", view.bounding_box())


def camera(page: Any) -> None:
    """The view of the camera."""
    page.click("nav button >> text=Camera")
    page.click(".live .controls button")
    page.locator('.live[data-results="10"]').wait_for()
    picture(page, "camera")


def main() -> None:
    """Take the pictures."""
    wanted = set(sys.argv[1:]) or {"recording", "persons", "phone", "coding", "agreement", "camera"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [joined(folder / "six sentences.webm"), side_by_side(folder / "two speakers.webm")]
        devices = write_camera(folder, CREMAD / "1001_DFA_ANG_XX.flv")
        with serving(folder / "data") as service, browser(*devices) as chromium:
            service.ready()
            page = chromium.new_page(
                base_url=str(service.client.base_url), viewport={"width": 1366, "height": 900}
            )
            page.set_default_timeout(60_000)
            page.goto("/")
            if wanted - {"camera"}:
                recordings(page, clips, wanted)
            if "camera" in wanted:
                camera(page)
            page.close()


if __name__ == "__main__":
    main()
