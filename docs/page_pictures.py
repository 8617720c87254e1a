"""Take the pictures of docs/page.md: the page in Chromium, with real clips. Usage: page_pictures.py

Reads the clips of ``../shared`` (or ``AVTCA_SHARED``) and writes ``docs/img/page-*.png``.
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
    """Two speakers of GRID, one after another with the sound of each, side by side."""
    left, right = GRID / "lbbc2a.mpg", GRID / "bbaf2n.mpg"
    pairs = list(zip(frames_of(left), frames_of(right), strict=False))
    frames = [(time, np.hstack([a, b])) for (time, a), (_, b) in pairs]
    end = frames[-1][0] + 0.04
    frames += [(end + time, np.hstack([a, b])) for (time, a), (_, b) in pairs]
    sound = [np.resize(audio_of(clip), round(end * 48_000)) for clip in (left, right)]
    return write_webm(path, frames, np.concatenate(sound))


def picture(page: Any, name: str, height: int | None = None) -> None:
    """Save what the page shows, with few colours."""
    page.mouse.move(2, 2)
    page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    page.wait_for_timeout(400)
    path = ROOT / "docs" / "img" / f"page-{name}.png"
    page.screenshot(path=path, full_page=height is None)
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


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [joined(folder / "six sentences.webm"), side_by_side(folder / "two speakers.webm")]
        camera = write_camera(folder, CREMAD / "1001_DFA_ANG_XX.flv")
        with serving(folder / "data") as service, browser(*camera) as chromium:
            service.ready()
            page = chromium.new_page(
                base_url=str(service.client.base_url), viewport={"width": 1366, "height": 900}
            )
            page.set_default_timeout(60_000)
            page.goto("/")
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
            picture(page, "recording")
            page.click(".file >> nth=1")
            page.wait_for_timeout(2500)
            page.select_option("select[aria-label=colours]", "dark")
            seek(page, 0.3)
            page.click(".chips button >> nth=1")
            picture(page, "persons")
            page.set_viewport_size({"width": 390, "height": 844})
            page.click(".file >> nth=0")
            page.wait_for_timeout(2000)
            seek(page, 0.63)
            page.select_option("select[aria-label=colours]", "light")
            picture(page, "phone")
            page.set_viewport_size({"width": 1366, "height": 900})
            page.click("nav button >> text=Camera")
            page.click(".live .controls button")
            page.locator('.live[data-results="10"]').wait_for()
            picture(page, "camera")
            page.close()


if __name__ == "__main__":
    main()
