"""The page in a real browser, with a real service and real clips."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import (
    Wire,
    audio_of,
    browser,
    frames_of,
    heap_mb,
    violations,
    without_errors,
    write_camera,
    write_webm,
)
from services import Service, serving

from avtca.serve.live_document import EXAMPLES

SHARED = Path(os.environ.get("AVTCA_SHARED", Path(__file__).parents[3] / "shared"))
CREMAD = SHARED / "corpora" / "cremad"
HAPPY = CREMAD / "1001_DFA_HAP_XX.flv"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CREMAD.exists(), reason="real clips not found: set AVTCA_SHARED"),
]
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with serving(folder / "data") as running:
        running.ready()
        yield running


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    made = Wire(service.client.base_url.port or 80)
    yield made
    made.close()


@pytest.fixture(scope="module")
def context(folder: Path, wire: Wire) -> Iterator[Any]:
    """One browser for all tests, which reaches no other host than the service."""
    with browser(*write_camera(folder, HAPPY)) as launched:
        made = launched.new_context(base_url=wire.address, accept_downloads=True)
        made.set_default_timeout(WAIT_MS)
        asked: list[str] = []
        made.on("request", lambda request: asked.append(request.url))
        yield made
        ours = ("blob:", "data:", wire.address, wire.address.replace("http", "ws"))
        assert asked and not [url for url in asked if not url.startswith(ours)]


@pytest.fixture
def page(context: Any, wire: Wire, service: Service) -> Iterator[Any]:
    for job in service.client.get("/v1/jobs").json()["jobs"]:
        service.client.delete(f"/v1/jobs/{job['id']}")
    wire.mend()
    made = context.new_page()
    made.set_viewport_size({"width": 1366, "height": 900})
    with without_errors(made) as opened:
        yield opened


@pytest.fixture(scope="module")
def short(folder: Path) -> Path:
    """A CREMA-D clip in a format that browsers play."""
    frames = [(time, rgb[::2, ::2]) for time, rgb in frames_of(HAPPY)[::2]]
    return write_webm(folder / "happy.webm", frames, audio_of(HAPPY))


@pytest.fixture(scope="module")
def longer(folder: Path) -> Path:
    """All six CREMA-D clips, one after another."""
    frames, audio, start = [], [], 0.0
    for clip in sorted(CREMAD.glob("*.flv")):
        sound = audio_of(clip)
        frames += [(start + time, rgb[::2, ::2]) for time, rgb in frames_of(clip)[::2]]
        audio.append(sound)
        start = max(start + len(sound) / 48_000, frames[-1][0] + 0.05)
    return write_webm(folder / "longer.webm", frames, np.concatenate(audio))


GAPS_MS = (33, 100, 20, 150, 67, 33, 250, 40)
WIDTH, HEIGHT, SPEED = 640, 240, 160


@pytest.fixture(scope="module")
def uneven(folder: Path) -> tuple[Path, list[float]]:
    """A face that moves to the right by true time, in frames that come at irregular times."""
    source = [(time, rgb[::2, ::2]) for time, rgb in frames_of(HAPPY)]
    times, at = [], 0.0
    while at < 1.8:
        times.append(round(at, 3))
        at += GAPS_MS[len(times) % len(GAPS_MS)] / 1000
    frames = []
    for time in times:
        _, rgb = min(source, key=lambda one: abs(one[0] - time))
        canvas = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        left = round(SPEED * time)
        canvas[30 : 30 + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        frames.append((time, canvas))
    return write_webm(folder / "uneven.webm", frames, audio_of(HAPPY)), times


def add(page: Any, *paths: Path) -> None:
    page.set_input_files("input[type=file]", [str(path) for path in paths])


def recognised(page: Any, number: int = 0) -> None:
    page.locator(".file-list li").nth(number).locator(".dot").wait_for()


def playhead(page: Any) -> float:
    return float(page.get_attribute(".playhead", "aria-valuenow"))


def only_job(service: Service) -> str:
    (job,) = service.client.get("/v1/jobs").json()["jobs"]
    return str(job["id"])


def percent(share: float) -> str:
    return f"{int(100 * share + 0.5)}\N{NO-BREAK SPACE}%"


def test_a_clip_is_shown_with_the_values_of_its_report(page: Any, service: Service) -> None:
    """As it comes from the corpus: FLV, which no browser plays."""
    add(page, HAPPY)
    recognised(page)
    report = service.client.get(f"/v1/jobs/{only_job(service)}/report").json()
    verdict = page.inner_text(".verdict .answer")
    assert report["top"] in verdict and percent(report["confidence"]) in verdict
    assert "below threshold" in verdict and report["sure"] is False
    assert "cannot play" in page.inner_text(".stage-note")
    shown = dict(zip(*[iter(page.inner_text(".bars").split("\n"))] * 2, strict=True))
    (row,) = report["timeline"]
    assert {name: text.strip() for name, text in shown.items()} == {
        name: percent(score) for name, score in row["scores"].items()
    }
    assert page.locator(".lane.scores").count() == len(report["people"])
    page.locator(".overlay .face").wait_for()
    with page.expect_download() as saved:
        page.click("[data-format=csv]")
    csv = service.client.get(f"/v1/jobs/{only_job(service)}/report?format=csv").content
    assert Path(saved.value.path()).read_bytes() == csv
    assert saved.value.suggested_filename == "1001_DFA_HAP_XX.csv"
    with page.expect_download() as saved:
        page.click("[data-format=png]")
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


def test_faces_follow_the_true_times_of_frames(
    page: Any, service: Service, uneven: tuple[Path, list[float]]
) -> None:
    """At every frame up to the last one, also where they come at irregular times."""
    path, times = uneven
    add(page, path)
    recognised(page)
    page.locator(".overlay .face").wait_for()
    assert page.get_attribute("video", "src").startswith("blob:")
    track = service.client.get(f"/v1/jobs/{only_job(service)}/track").json()
    (face,) = track["faces"]
    assert (track["width"], track["height"]) == (WIDTH, HEIGHT)
    offset = np.mean([b[0] + b[2] for b in face["box"]] - 2 * SPEED * np.array(face["time_s"])) / 2
    seen, errors = [], []
    for i in range(len(times)):
        if i:
            page.keyboard.press("ArrowRight")
            page.locator(f'.overlay[data-time="{times[i]:.4f}"]').wait_for(state="attached")
        seen.append(float(page.get_attribute(".overlay", "data-time")))
        style = page.get_attribute(".overlay .face", "style")
        left, width = (float(re.search(rf"{n}: ([\d.]+)%", style)[1]) for n in ("left", "width"))
        errors.append((left + width / 2) / 100 * WIDTH - (SPEED * times[i] + offset))
    assert seen == times
    # The clip's own face moves by a few pixels; a frame of 250 ms is 40 pixels.
    assert np.abs(errors).max() < 12
    page.keyboard.press("ArrowRight")  # the last frame stays
    page.wait_for_timeout(300)
    assert float(page.get_attribute(".overlay", "data-time")) == times[-1]
    page.keyboard.press("ArrowLeft")
    page.locator(f'.overlay[data-time="{times[-2]:.4f}"]').wait_for(state="attached")


def test_lanes_seek_and_keys_move_the_playhead(page: Any, service: Service, longer: Path) -> None:
    add(page, longer)
    recognised(page)
    report = service.client.get(f"/v1/jobs/{only_job(service)}/report").json()
    end = report["duration_s"]
    lane = page.locator(".lane.scores .lane-area canvas").first
    lane.scroll_into_view_if_needed()
    area = lane.bounding_box()
    page.mouse.click(area["x"] + area["width"] / 2, area["y"] + 10)
    assert playhead(page) == pytest.approx(end / 2, abs=0.05)
    assert page.evaluate("() => document.querySelector('video').currentTime") == pytest.approx(
        end / 2, abs=0.05
    )
    starts = sorted({row["start_s"] for row in report["timeline"]})
    assert len(starts) > 5
    page.keyboard.press("Home")
    for start in starts[1:4]:
        page.keyboard.press("Shift+ArrowRight")
        assert playhead(page) == pytest.approx(start, abs=0.006)
    page.keyboard.press("Shift+ArrowLeft")
    assert playhead(page) == pytest.approx(starts[2], abs=0.006)
    before = playhead(page)
    page.keyboard.press(" ")
    page.locator("button[aria-label=pause]").wait_for()
    for _ in range(100):
        assert playhead(page) > before - 0.1  # never back to the frame from before the seek
        if playhead(page) > before + 0.2:
            break
        page.wait_for_timeout(50)
    video = page.evaluate("""() => {
        const {paused, seeking, currentTime, readyState} = document.querySelector('video');
        return {paused, seeking, currentTime, readyState};
    }""")
    page.keyboard.press(" ")
    page.locator("button[aria-label=play]").wait_for()
    assert before + 0.2 < playhead(page) < before + 5, video
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.locator(".scroller").wait_for()
    page.keyboard.press("0")
    page.locator(".scroller").wait_for(state="hidden")
    page.keyboard.press("?")
    assert "a window back, forward" in page.inner_text("dialog")
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    assert playhead(page) == pytest.approx(end, abs=0.01)


def test_progress_goes_on_after_a_lost_connection(page: Any, wire: Wire, longer: Path) -> None:
    add(page, longer)
    state = page.locator(".file-state")
    state.get_by_text(re.compile("^read|waits for the server")).wait_for()
    wire.cut()
    state.get_by_text("connection lost").wait_for()
    wire.mend()
    recognised(page)
    assert page.locator(".lane.scores").count() >= 1


def test_a_broken_file_is_explained_and_others_go_on(page: Any, folder: Path, short: Path) -> None:
    broken = folder / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(700))
    add(page, broken, short)
    recognised(page, 1)
    text = page.inner_text(".file-state.error")
    assert text.startswith("read broken.mp4: ") and ";" in text  # action, problem and fix
    page.click("text=Try again")
    page.locator(".file-state.error").wait_for()
    page.click("[aria-label='remove broken.mp4']")
    assert page.locator(".file-list li").count() == 1


def test_results_of_an_earlier_visit_get_their_file_back(page: Any, short: Path) -> None:
    add(page, short)
    recognised(page)
    page.reload()
    recognised(page)
    page.click(".file")
    assert "again to see it" in page.inner_text(".stage-note")
    add(page, short)
    page.locator(".stage-note").wait_for(state="hidden")
    assert page.locator(".file-list li").count() == 1


def test_an_hour_stays_responsive(page: Any, short: Path) -> None:
    """Lanes draw the visible part: sixty moves through an hour take seconds. Memory is bounded."""
    hour, names = 3600.0, ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    rows = [
        {
            "start_s": 1.8 * i,
            "end_s": 1.8 * i + 3.6,
            "person": person,
            "top": names[i % 7],
            "scores": {name: 0.4 if name == names[i % 7] else 0.1 for name in names},
            "modalities": ["face", "voice"],
            "face": 1.0,
            "voice": 0.5,
            "box": [1, 1, 9, 9],
        }
        for i in range(int(hour / 1.8) - 1)
        for person in range(3)
    ]
    times = [i / 10 for i in range(36_000)]
    track = {
        "width": 480,
        "height": 360,
        "step_s": 0.1,
        "faces": [
            {"person": person, "time_s": times, "box": [[9 * person, 9, 99, 99]] * len(times)}
            for person in range(3)
        ],
        "waveform": {"rate": 50, "peaks": [0.3, 0.6] * 90_000},
        "frames": times,
    }

    def report(route: Any) -> None:
        plain = route.fetch().json()
        person = plain["people"][0]
        people = [{**person, "person": number} for number in range(3)]
        route.fulfill(json={**plain, "duration_s": hour, "timeline": rows, "people": people})

    empty = heap_mb(page)
    page.route("**/report?format=json", report)
    page.route("**/track", lambda route: route.fulfill(json=track))
    add(page, short)
    recognised(page)
    assert page.locator(".lane.scores").count() == 3
    moves = """async () => {
        const body = document.querySelector(".lanes-body"), box = body.getBoundingClientRect();
        const start = performance.now();
        for (let i = 0; i < 60; i++) {
            const at = {clientX: box.left + 200 + 10 * i, clientY: box.top + 200, bubbles: true};
            const wheel = {...at, ctrlKey: true, cancelable: true, deltaY: i < 30 ? -90 : 90};
            body.dispatchEvent(new WheelEvent("wheel", wheel));
            await new Promise(requestAnimationFrame);
        }
        return (performance.now() - start) / 60;
    }"""
    assert page.evaluate(moves) < 100  # ms for a move, a zoom and the drawing of all lanes
    assert heap_mb(page) - empty < 25  # 6,000 windows, and 108,000 boxes


def test_the_page_fits_a_phone(page: Any, short: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    add(page, short)
    recognised(page)
    wide = "() => document.scrollingElement.scrollWidth"
    assert page.evaluate(wide) <= 390
    stage = page.locator(".recordings .stage").bounding_box()
    assert page.locator(".recordings .stage video").first.bounding_box() == stage
    assert stage["width"] <= 390
    page.click("nav button >> text=Camera")
    assert page.evaluate(wide) <= 390


def test_axe_finds_nothing(page: Any, short: Path) -> None:
    assert violations(page) == []  # nothing is open
    add(page, short)
    recognised(page)
    for theme in ("light", "dark"):
        page.select_option("select[aria-label=colours]", theme)
        assert violations(page) == [], theme
        page.click("header >> text=Keys")
        assert violations(page) == [], theme
        page.keyboard.press("Escape")
        page.click("nav button >> text=Camera")
        assert violations(page) == [], theme
        page.click("nav button >> text=Recordings")
    page.select_option("select[aria-label=colours]", "system")


def test_notices_are_shown_by_default(page: Any) -> None:
    for tab in ("Recordings", "Camera"):
        page.click(f"nav button >> text={tab}")
        text = page.locator("main").inner_text()
        assert "Art. 50(3)" in text and "Art. 5(1)(f)" in text


def test_the_camera_is_read_live_and_after_a_lost_connection(page: Any, wire: Wire) -> None:
    """Camera and microphone are a CREMA-D clip, again and again."""
    audio: list[tuple[int, int]] = []
    pictures: list[int] = []

    def sent(payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            time_us = int.from_bytes(payload[1:9], "big")
            if payload[0] == 1:
                audio.append((time_us, (len(payload) - 9) // 2))
            else:
                assert payload[9:11] == b"\xff\xd8"  # JPEG
                pictures.append(time_us)

    page.on("websocket", lambda socket: socket.on("framesent", sent))
    page.click("nav button >> text=Camera")
    page.click(".live .controls button")
    page.locator(".live .face").first.wait_for()
    page.locator(".live .lane.scores").first.wait_for()
    assert "emotion recognition is on, face and voice" in page.inner_text(".live .controls")
    page.wait_for_timeout(1500)
    wire.cut()
    page.locator(".live .controls >> text=connection lost").wait_for()
    first = len(audio), len(pictures)
    wire.mend()
    page.locator(".live .controls >> text=emotion recognition is on").wait_for()
    results = int(page.get_attribute(".live", "data-results"))
    page.wait_for_function(
        "least => Number(document.querySelector('.live').dataset.results) >= least", arg=results + 2
    )
    page.click(".live .controls button")
    with page.expect_download() as saved:
        page.click(".live .save >> text=CSV")
    head, *lines = Path(saved.value.path()).read_text().splitlines()
    assert head.startswith("start_s,end_s,person,top,modalities,face,voice,angry,disgust")
    assert any("face+voice" in line for line in lines)
    # 16,000 samples a second on the clock that the pictures have too.
    times, counts = np.array(audio[: first[0]]).T
    assert np.diff(times).tolist() == pytest.approx([40_000] * (len(times) - 1), abs=1)
    assert set(counts) == {640}
    seconds = (pictures[first[1] - 1] - pictures[0]) / 1e6
    assert 5 < (first[1] - 1) / seconds < 16
    assert pictures == sorted(pictures)
    assert abs(pictures[0] - times[0]) < 2_000_000


def test_the_camera_shows_who_speaks_and_what_is_doubtful(page: Any) -> None:
    """With results of a listener and a voice of somebody out of view."""
    row = {**EXAMPLES["measurement.result"]["people"][0], "person": 0, "speaking": 0.0}
    row |= {"modalities": ["face"], "sure": True, "doubts": []}
    unseen = {"person": None, "box": None, "last_box": None, "modalities": ["voice"]}
    people = [row, {**row, **unseen, "speaking": None, "sure": None}]
    people.append({**row, "person": 1, "speaking": None, "sure": False, "doubts": ["shared audio"]})

    result = {**EXAMPLES["measurement.result"], "people": people}

    def answer(socket: Any) -> None:
        def send(message: str | bytes) -> None:
            if isinstance(message, str) and "session.create" in message:
                socket.send(json.dumps(EXAMPLES["session.created"]))
                socket.send(json.dumps(result))

        socket.on_message(send)

    page.route_web_socket("**/v1/live", answer)
    page.click("nav button >> text=Camera")
    page.click(".live .controls button")
    shown = page.locator(".live-person")
    shown.nth(2).wait_for()
    assert shown.locator("h3").all_inner_texts() == [
        "Person 0, face, does not speak",
        "Voice of somebody off screen",
        "Person 1, face, undecided whether it speaks",
    ]
    assert shown.locator(".state").all_inner_texts() == [
        "above threshold",
        "no threshold for voice only",
        "shared audio",
    ]
    page.click(".live .controls button")
