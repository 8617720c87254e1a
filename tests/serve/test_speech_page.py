"""Who speaks, on the page, in Chromium: turns, lanes, boxes, and persons who are one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import audio_of, browser, frames_of, without_errors, write_webm
from services import Service, serving, until

SHARED = Path(os.environ.get("AVTCA_SHARED", Path(__file__).parents[3] / "shared"))
TALKING = SHARED / "talking"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TALKING.exists(), reason="real clips not found: set AVTCA_SHARED"),
]
WAIT_MS = 20_000
TURNS = [
    {"start_s": 0.0, "end_s": 0.5, "person": 0, "visible": True},
    {"start_s": 0.5, "end_s": 1.0, "person": None, "visible": None},
    {"start_s": 1.0, "end_s": 1.5, "person": 1, "visible": True},
    {"start_s": 1.5, "end_s": 2.0, "person": None, "visible": False},
]
SPEECH = ".lane:has(canvas[aria-label^='Who speaks']) canvas"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of one second with a person each."""
    frames, audio = [], []
    for shot, name in enumerate(("bbaf2n.mpg", "lbbc2a.mpg")):
        pictures = [one for one in frames_of(TALKING / name) if 1 <= one[0] < 2]
        frames += [(time - 1 + shot, rgb) for time, rgb in pictures]
        audio.append(audio_of(TALKING / name)[48_000:96_000])
    path = tmp_path_factory.mktemp("clip") / "talk.webm"
    return write_webm(path, frames, np.concatenate(audio))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("speech") / "data") as running:
        running.ready()
        yield running


@pytest.fixture(scope="module")
def chromium(clip: Path) -> Iterator[Any]:
    with browser(clip, clip) as launched:
        yield launched


def jobs(service: Service) -> list[dict[str, Any]]:
    return list(service.client.get("/v1/jobs").json()["jobs"])


@pytest.fixture
def page(chromium: Any, service: Service) -> Iterator[Any]:
    for job in jobs(service):
        service.client.delete(f"/v1/jobs/{job['id']}")
    made = chromium.new_page(
        base_url=str(service.client.base_url), viewport={"width": 1366, "height": 1000}
    )
    made.set_default_timeout(WAIT_MS)
    with without_errors(made) as opened:
        yield opened


def add(page: Any, clip: Path) -> None:
    page.set_input_files("input[type=file]", str(clip))
    page.locator(".file-list .dot").wait_for()


def colour(page: Any, share: float) -> str:
    """Of the lane of speech, near its upper edge."""
    red, green, blue, _ = page.eval_on_selector(
        SPEECH,
        "(lane, share) => [...lane.getContext('2d').getImageData("
        "Math.round(share * lane.width), Math.round(0.2 * lane.height), 1, 1).data]",
        share,
    )
    return f"#{red:02x}{green:02x}{blue:02x}"


def seek(page: Any, time_s: float) -> str:
    """Click into the lane of speech; returns the text for screen readers."""
    area = page.locator(SPEECH).bounding_box()
    page.mouse.click(area["x"] + time_s / 2 * area["width"], area["y"] + 9)
    line = page.locator(".playhead")
    assert float(line.get_attribute("aria-valuenow")) == pytest.approx(time_s, abs=0.02)
    return str(line.get_attribute("aria-valuetext"))


def test_turns_are_drawn_named_and_listed(page: Any, clip: Path) -> None:
    """A report in which each kind of turn occurs, and a voice off screen beside the faces."""

    def report(route: Any) -> None:
        plain = route.fetch().json()
        row = plain["timeline"][0]
        whole = {**row, "start_s": 0.0, "end_s": 2.0}
        rows = [
            {**whole, "person": 0, "speaking": 0.25},
            {**whole, "person": 1, "speaking": None},
            {**whole, "person": None, "box": None, "face": 0.0, "modalities": ["voice"]},
        ]
        rows[2]["speaking"] = None
        people = [{**plain["people"][0], "person": number} for number in (0, 1)]
        route.fulfill(json={**plain, "timeline": rows, "people": people, "speech": TURNS})

    page.route("**/report?format=json", report)
    add(page, clip)
    label = page.get_attribute(SPEECH, "aria-label")
    assert set(label.removeprefix("Who speaks: ").split(", ")) == {
        f"{name} 0.5 s" for name in ("person 0", "person 1", "undecided", "off screen")
    }
    lanes = page.locator(".lane.scores .lane-name").all_inner_texts()
    assert lanes == ["Person 0", "Person 1", "Off screen"]
    names = page.locator(".lane.scores .strips").all_inner_texts()
    assert [text.split() for text in names] == [["face", "voice", "speaks"]] * 3
    page.wait_for_timeout(100)
    shown = [colour(page, share) for share in (0.05, 0.3, 0.55, 0.95)]
    assert shown[0] == "#a6cee3" and shown[2] == "#fdbf6f" and len(set(shown)) == 4
    swatch = "(e) => getComputedStyle(e).backgroundColor"
    dots = page.locator(".lane.scores .lane-name .dot")
    assert [dot.evaluate(swatch) for dot in dots.all()] == [
        "rgb(166, 206, 227)",
        "rgb(253, 191, 111)",
    ]
    page.click("text=Turns of speech as a list")
    page.locator(".turns button").nth(3).wait_for()
    assert page.locator(".turns button").all_inner_texts()[1:3] == [
        "0:00.50 to 0:01.00 undecided",
        "0:01.00 to 0:01.50 person 1",
    ]
    page.locator(SPEECH).scroll_into_view_if_needed()
    side = page.locator(".side.machine")
    for time_s, text in (
        (0.75, "undecided who speaks"),
        (1.25, "person 1 speaks"),
        (1.75, "somebody off screen speaks"),
        (0.25, "person 0 speaks"),
    ):
        assert seek(page, time_s).endswith(text)
        assert f"Now: {text}" in side.inner_text()
        # The first shot has one face, the second another one.
        speaks = page.locator(".recordings .overlay .face.speaks")
        if text.startswith("person"):
            speaks.wait_for()
            assert speaks.inner_text().startswith(text)
        else:
            speaks.wait_for(state="detached")
            assert "speaks" not in page.inner_text(".recordings .overlay .face")
    page.click(".chips button >> text=person 0")
    assert "speaks in 25" in side.inner_text()
    page.click(".chips button >> text=person 1")
    assert "speaks in" not in side.inner_text()
    page.click(".turns button >> nth=2")
    assert page.get_attribute(".playhead", "aria-valuenow") == "1.00"
    page.mouse.move(2, 2)
    for width in (390, 1366):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(200)
        assert page.evaluate("() => document.scrollingElement.scrollWidth") <= width


def test_whoever_speaks_can_be_chosen(page: Any, service: Service, clip: Path) -> None:
    page.click("summary >> text=Settings")
    options = page.locator("#person option")
    assert [one.get_attribute("value") for one in options.all()] == ["all", "main", "speaker"]
    page.select_option("#person", "speaker")
    add(page, clip)
    (job,) = jobs(service)
    assert job["person"] == "speaker"
    assert page.locator(".lane.scores .lane-name").all_inner_texts() == ["Speaker"]


def test_persons_are_merged_by_hand_and_apart_again(
    page: Any, service: Service, clip: Path
) -> None:
    add(page, clip)
    # Whether the voice is found to be off screen differs with the encoding of the clip.
    lanes = page.locator(".lane.scores:not([data-person='off screen']) .lane-name")
    lanes.nth(1).wait_for()
    assert lanes.all_inner_texts() == ["Person 0", "Person 1"]
    merging = page.locator(".merging")
    page.click("text=One person with two numbers?")
    page.select_option(".merging select >> nth=0", "0")
    button = page.locator("button >> text=Read again as one")
    button.click()
    assert "the same number" in merging.inner_text()
    page.select_option(".merging select >> nth=0", "1")
    button.click()
    page.locator(".pairs >> text=Person 1 is person 0").wait_for()
    until(lambda: len(jobs(service)) == 1)  # the first one is deleted
    (job,) = jobs(service)
    assert (job["merge"], job["person"], job["model"]) == (["1=0"], "all", "default")
    report = service.client.get(f"/v1/jobs/{job['id']}/report").json()
    (person,) = report["people"]
    assert lanes.all_inner_texts() == ["Person 0"]
    face = int(100 * report["timeline"][0]["face"] + 0.5)
    assert f"face in {face}\N{NO-BREAK SPACE}%" in page.inner_text(".side.machine")
    shown = f"{person['top']} {int(100 * person['confidence'] + 0.5)}\N{NO-BREAK SPACE}%"
    assert shown in page.locator(".lane.scores .lane-head").first.inner_text()
    page.keyboard.press("End")
    page.locator(".overlay .face[data-person='0']").wait_for()
    page.click("[aria-label='undo: Person 1 is person 0']")
    page.locator(".pairs li").wait_for(state="detached")
    assert lanes.all_inner_texts() == ["Person 0", "Person 1"]
    until(lambda: [job["merge"] for job in jobs(service)] == [[]])


def test_two_people_in_view_are_not_merged(page: Any, service: Service, clip: Path) -> None:
    """Nothing is sent where the page knows better; else the server's text is shown."""

    def track(route: Any) -> None:
        plain = route.fetch().json()
        first, second = plain["faces"]
        second["time_s"][0] = first["time_s"][3]
        route.fulfill(json=plain)

    page.route("**/track", track)
    add(page, clip)
    page.click("text=One person with two numbers?")
    page.click("button >> text=Read again as one")
    assert "Persons 1 and 0 are both in view at 0:00" in page.inner_text(".merging .error")
    assert len(jobs(service)) == 1
    page.unroute("**/track")
    page.route(
        "**/v1/jobs?*", lambda route: route.continue_(url=f"{route.request.url}&merge=9%3D0")
    )
    page.reload()
    page.locator(".file-list .dot").wait_for()
    page.click(".file")
    page.click("text=One person with two numbers?")
    assert "Choose talk.webm again" in page.inner_text(".merging")
    assert page.locator("button >> text=Read again as one").is_disabled()
    page.set_input_files("input[type=file]", str(clip))
    page.click("button >> text=Read again as one")
    text = "merge person 9: there is none: the persons are 0, 1; "
    page.locator(f".merging .error >> text={text}").wait_for()
    assert page.locator(".lane.scores .lane-name .dot").count() == 2
