"""Annotation in the page, in Chromium, against a running service and a real clip."""

import json

import httpx
import numpy as np
import pytest
from browser import audio_of, browser, frames_of, violations, write_webm
from services import serving
from sklearn.metrics import cohen_kappa_score

pytestmark = pytest.mark.slow

RATE = 12
"""Frames a second of the clip."""
LANE = ".coding-lane canvas"


@pytest.fixture(scope="module")
def clip(corpora, tmp_path_factory):
    """A video of three sentences."""
    folder = tmp_path_factory.mktemp("clip")
    frames, sound, length_s = [], [], 0.0
    for emotion in ("HAP", "ANG", "SAD"):
        source = corpora / "cremad" / f"1001_DFA_{emotion}_XX.flv"
        audio, pictures = audio_of(source), frames_of(source)
        n = int(RATE * len(audio) / 48_000)
        times = np.array([time_s for time_s, _ in pictures])
        for k in range(n):
            picture = pictures[np.abs(times - k / RATE).argmin()][1]
            frames.append((length_s + k / RATE, picture[::2, ::2]))
        sound.append(audio[: n * 48_000 // RATE])
        length_s += n / RATE
    return write_webm(folder / "interview.webm", frames, np.concatenate(sound))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("page") / "data") as service:
        service.ready()
        yield str(service.client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def chromium(clip):
    with browser(clip, clip) as launched:
        yield launched


@pytest.fixture
def recognised(address, clip):
    """The clip is among the results of the service."""
    if not httpx.get(f"{address}/v1/jobs").json()["jobs"]:
        file = {"file": (clip.name, clip.read_bytes())}
        httpx.post(f"{address}/v1/jobs?person=all", files=file).raise_for_status()


@pytest.fixture
def open_page(chromium, address, clip):
    """A function that opens the page in a new browser profile, with the clip."""
    contexts = []
    errors = []

    def choose(page):
        page.set_input_files("input[aria-label=recordings]", clip)
        page.wait_for_selector("#coder-name:visible, .coding-work:visible")
        while page.evaluate("document.querySelector('video').readyState") < 2:
            page.wait_for_timeout(50)

    def make(results=True):
        context = chromium.new_context(
            base_url=address, viewport={"width": 1300, "height": 1400}, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto("/")
        if results:
            page.wait_for_selector(".file-list li")
        choose(page)
        page.choose = choose
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors


def start(page, coder="AB"):
    page.fill("#coder-name", coder)
    page.click("text=Start coding")
    page.wait_for_selector(LANE)


def stored(page):
    """Lanes as they are kept in the browser: start, end and label of each range."""
    page.wait_for_selector(".coding-lane[data-busy]", state="detached")
    page.wait_for_timeout(350)
    texts = page.evaluate("Object.entries(localStorage)")
    [text] = [value for key, value in texts if key.startswith("avtca.coding:")]
    lanes = json.loads(text)["lanes"]
    return [[(one["start"], one["end"], one["label"]) for one in lane["ranges"]] for lane in lanes]


def drag(page, from_s, to_s, lane=0):
    """Drag in a lane, from and to a time."""
    box = page.locator(LANE).nth(lane).bounding_box()
    total_s = page.evaluate("document.querySelector('video').duration")
    x = [box["x"] + time_s / total_s * box["width"] for time_s in (from_s, to_s)]
    y = box["y"] + box["height"] / 2
    page.mouse.move(x[0], y)
    page.mouse.down()
    page.mouse.move((x[0] + x[1]) / 2, y)
    page.mouse.move(x[1], y)
    page.mouse.up()


def step(page, frame):
    """Step to a frame of the clip, with the arrow keys."""
    playhead = page.locator(".playhead")

    def settled():
        before = None
        while (now := playhead.get_attribute("aria-valuenow")) != before:
            before = now  # a seek of before may still end
            page.wait_for_timeout(120)
        return now

    while (now := round(RATE * float(at := settled()))) != frame:
        page.keyboard.press("ArrowRight" if now < frame else "ArrowLeft")
        page.wait_for_function(
            "at => document.querySelector('.playhead').getAttribute('aria-valuenow') !== at", arg=at
        )


def exported(page, form):
    """Content of an exported file."""
    page.wait_for_selector(".coding-lane[data-busy]", state="detached")
    with page.expect_download() as download:
        page.click(f"[data-coding-format={form}]")
    return download.value.path().read_bytes()


def imported(page, name, content):
    page.set_input_files(
        "input[aria-label=coding]",
        {"name": name, "mimeType": "application/octet-stream", "buffer": content},
    )
    page.locator(".toast", has_text=name).wait_for()


def test_blind_coding(open_page):
    """The results that arrive while coding stay hidden; showing them is noted in the file."""
    page = open_page(results=False)
    start(page)
    drag(page, 1, 3)
    page.keyboard.press("4")
    page.wait_for_selector(".file-state:text-is('recognised')", timeout=60_000)
    text = page.inner_text("body")
    assert "happy 3" not in text and "below threshold" not in text
    hidden = (
        ".side, .face, .save, .legend, .lane:has-text('Person 0'), .lane:has-text('Confidence')"
    )
    assert not page.locator(hidden).locator("visible=true").count()
    blind = json.loads(exported(page, "json"))
    assert blind["tiers"][0]["notes"] == "coded blind: results of the model hidden"
    page.reload()  # the profile stays blind
    page.wait_for_selector(".file-list li")
    page.choose(page)
    page.wait_for_selector(".file-state:text-is('recognised')")
    assert not page.locator(".side").locator("visible=true").count()
    page.click(".blind-state summary")
    page.click("[data-role=reveal]")
    page.wait_for_selector(".side")
    assert page.locator(".lane:has-text('Person 0')").is_visible()
    notes = exported(page, "eaf").decode().partition('"avtca:notes:AB">')[2]
    assert notes.startswith("results of the model shown 20")
    assert notes.partition("<")[0].endswith("after 1 ranges")
    page.click("[data-role=hide]")
    assert not page.locator(".side").locator("visible=true").count()


def test_ranges_with_the_pointer_and_undo(open_page, recognised):
    page = open_page()
    start(page)
    frame = 1000 / RATE
    drag(page, 1, 3)
    page.keyboard.press("4")
    [[(begin, end, label)]] = stored(page)
    assert label == "happy"
    assert begin == pytest.approx(1000, abs=frame) and end == pytest.approx(3000, abs=frame)
    # A range that begins beside the edge snaps to it; a resized edge stops at its neighbour.
    drag(page, 3.05, 5)
    page.keyboard.press("x")
    [[first, second]] = stored(page)
    assert first == (begin, end, "happy") and second[0] == end and second[2] == "exclude"
    page.keyboard.press("Escape")
    drag(page, 1.0, 0.5)
    resized = stored(page)[0]
    assert resized[0][0] == pytest.approx(500, abs=frame) and resized[0][1:] == first[1:]
    # Every edge but those of the file is the timestamp of a frame.
    for time in (resized[0][0], begin, end, second[1]):
        assert time == round(round(time / frame) * frame)
    step(page, 8)
    page.keyboard.press("s")
    split = stored(page)[0]
    assert len(split) == 3 and split[0][1] == split[1][0] and split[0][2] == split[1][2] == "happy"
    page.keyboard.press("Delete")
    assert stored(page)[0] == [split[0], split[2]]
    states = []
    for key in ("u", "Control+z", "u", "u", "u", "u", "u"):
        page.keyboard.press(key)
        states.append(stored(page)[0])
    assert states[:3] == [split, resized, [first, second]]
    assert states[-1] == []
    for _ in range(6):
        page.keyboard.press("Shift+U")
    page.keyboard.press("Control+y")
    assert stored(page)[0] == [split[0], split[2]]


def test_with_the_keyboard_alone_and_after_a_reload(open_page, recognised):
    page = open_page()
    page.focus("#coder-name")
    page.keyboard.type("K")
    page.keyboard.press("Enter")
    page.wait_for_selector(LANE)

    ms = [round(1000 * k / RATE) for k in range(8)]
    step(page, 1)
    page.keyboard.press("i")
    step(page, 3)
    page.keyboard.press("o")
    page.keyboard.press("1")
    assert stored(page) == [[(ms[1], ms[3], "angry")]]
    page.keyboard.press("Escape")
    page.keyboard.press("4")  # from here on
    step(page, 5)
    page.keyboard.press("5")  # another label ends the range before
    step(page, 6)
    page.keyboard.press("5")
    coded = [(ms[1], ms[3], "angry"), (ms[3], ms[5], "happy"), (ms[5], ms[6], "neutral")]
    assert stored(page) == [coded]
    page.keyboard.press("p")
    page.keyboard.press("p")
    step(page, 4)
    page.keyboard.press("i")  # the start of the selected range, to the playhead
    coded[1] = (ms[4], ms[5], "happy")
    assert stored(page) == [coded]
    page.reload()
    page.wait_for_selector(".file-list li")
    page.choose(page)
    page.wait_for_selector(LANE)
    assert page.locator(LANE).get_attribute("aria-label") == "K: 3 ranges"
    assert stored(page) == [coded]


FOCUS = """() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const labels = [...(element.labels ?? [])].map((label) => label.textContent);
    const name = element.getAttribute("aria-label") || labels.join(" ") || element.textContent;
    const box = element.getBoundingClientRect();
    const inside = box.bottom > 0 && box.top < innerHeight;
    const ring = style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2;
    return {tag: element.tagName, name: name.trim(), visible: ring && inside};
}"""


def tab(page, name, key="Tab"):
    """Tab to the control of this name; every one on the way has a name and a visible focus."""
    for _ in range(80):
        page.keyboard.press(key)
        now = page.evaluate(FOCUS)
        assert now["tag"] != "BODY", f"no {name}"
        assert now["name"] and now["visible"], now
        if now["name"].startswith(name):
            return
    raise AssertionError(name)


def test_a_walk_with_the_keyboard_alone(open_page, recognised):
    """From the top of the page through coding and back, with what a screen reader is told."""
    page = open_page()
    spoken = page.locator("[data-role=spoken]")

    def tells(text):
        page.wait_for_function(
            "text => document.querySelector('[data-role=spoken]').textContent === text", arg=text
        )

    def focused(name):
        assert page.evaluate(FOCUS)["name"].startswith(name)

    page.evaluate("() => document.activeElement.blur()")
    tab(page, "To the content")
    tab(page, "Coder")
    page.keyboard.type("K")
    tab(page, "Start coding")
    page.keyboard.press("Enter")
    page.wait_for_selector(LANE)
    focused("angry")
    assert "results of the model are hidden" in page.inner_text(".toast")
    tells("0 ranges")
    page.keyboard.press("i")
    assert spoken.text_content().startswith("a range begins at 0:00.0")
    step(page, 3)
    page.keyboard.press("o")
    tells("no label, 0:00.00 to 0:00.25, range 1 of 1")
    tab(page, "happy")
    page.keyboard.press("Enter")
    tells("happy, 0:00.00 to 0:00.25, range 1 of 1")
    focused("happy")  # pressed, and its focus is visible
    assert page.evaluate(FOCUS)["visible"]
    page.keyboard.press("x")
    tells("exclude, 0:00.00 to 0:00.25, range 1 of 1")
    tab(page, "Undo")
    page.keyboard.press("Enter")
    tells("1 range")
    page.keyboard.press("p")
    tells("happy, 0:00.00 to 0:00.25, range 1 of 1")
    page.keyboard.press("Delete")
    tells("0 ranges")
    for _ in range(8):  # back to where nothing was coded
        if page.evaluate(FOCUS)["name"].startswith("Undo"):
            page.keyboard.press("Enter")
    focused("Coder")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(LANE)
    tab(page, "Show them", key="Shift+Tab")
    page.keyboard.press("Enter")
    tab(page, "Show them, and note it")
    page.keyboard.press("Enter")
    page.wait_for_selector(".side")
    focused("Hide them")
    page.keyboard.press("Enter")
    page.locator(".side.machine").wait_for(state="hidden")
    focused("Show them")
    for name in ("Ranges", "Labels", "Agreement"):
        tab(page, name)
        page.keyboard.press("Enter")
    tab(page, "first")
    tab(page, "JSON")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["tag"] == "BODY"


def test_all_controls_have_names(open_page, recognised):
    """In the accessibility tree of the browser, with every part of the panel open."""
    page = open_page()
    start(page)
    drag(page, 1, 3)
    page.keyboard.press("4")
    open_all(page)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    found = {}
    for node in tree:
        properties = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        role = node["role"]["value"]
        if properties.get("focusable") and not node["ignored"] and role != "main":
            found.setdefault(role, []).append(node["name"]["value"])
    assert all(all(names) for names in found.values()), found
    assert {"start of range 1 in seconds", "end of range 1 in seconds"} <= {*found["spinbutton"]}
    assert {"label of range 1", "Lane", "first", "second"} <= {*found["combobox"]}
    assert {"Coder", "Person coded", "labels, one a line"} <= {*found["textbox"]}
    assert found["slider"] == ["playhead"]


def open_all(page):
    for summary in page.locator("summary:visible").all():
        if not summary.evaluate("one => one.parentElement.open"):
            summary.click()


@pytest.mark.parametrize(("width", "theme"), [(1300, "light"), (390, "dark")])
def test_axe_finds_nothing_in_coding(open_page, recognised, width, theme):
    page = open_page()
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})
    assert violations(page) == []
    start(page)
    drag(page, 1, 3)
    page.keyboard.press("4")
    open_all(page)
    assert violations(page) == []
    page.click("[data-role=reveal]")
    page.wait_for_selector("[data-role=kappa]")
    open_all(page)
    assert violations(page) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    bar = "getComputedStyle(document.querySelector('.bars i')).transitionDuration"
    assert page.evaluate(bar) == "0s"
    page.keyboard.press("Escape")
    page.keyboard.press(" ")
    assert page.evaluate("document.getAnimations().length") == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(bar) == "0.12s"


def by_ms(intervals):
    out = np.full(20_000, "", object)
    for one in intervals:
        out[round(one["start_s"] * 1000) : round(one["end_s"] * 1000)] = one["label"]
    return out


def test_agreement_equals_scikit_learn(open_page, recognised):
    page = open_page()
    start(page)
    sheet = "start,end,label,tier\n0,2,happy,B\n2,4,sad,B\n4,5,exclude,B\n5,8,Fearful,B\n"
    imported(page, "second.csv", sheet.encode())
    assert not page.locator(
        ".coding-lane:has(.lane-name:text-is('B'))"
    ).is_visible()  # of another coder
    for from_s, to_s, key in ((0.5, 3.2, "4"), (3.5, 6, "3"), (6.5, 7.5, "6")):
        drag(page, from_s, to_s)
        page.keyboard.press(key)
        page.keyboard.press("Escape")
    page.click("summary:text-is('Agreement')")
    page.wait_for_selector("text=Two lanes are needed")
    page.click(".blind-state summary")
    page.click("[data-role=reveal]")
    assert page.locator(".coding-lane:has(.lane-name:text-is('B'))").is_visible()
    page.wait_for_selector("[data-role=kappa]")
    tiers = {one["name"]: one for one in json.loads(exported(page, "json"))["tiers"]}
    job = page.evaluate("fetch('v1/jobs').then((answer) => answer.json())")["jobs"][0]["id"]
    rows = page.evaluate(f"fetch('v1/jobs/{job}/report?format=tsv').then((one) => one.text())")
    head, *lines = [line.split("\t") for line in rows.splitlines()]
    machine = [dict(zip(head, line, strict=True)) for line in lines]
    machine = [
        {"start_s": float(one["start_s"]), "end_s": float(one["end_s"]), "label": one["label"]}
        for one in machine
        if one["track"] == "person 0"
    ]
    a = by_ms(tiers["AB"]["intervals"])
    for name, other in (("B", tiers["B"]["intervals"]), ("model: person 0", machine)):
        b = by_ms(other)
        b[b == "Fearful"] = "fear"
        kept = (a != "") & (b != "") & (b != "exclude")
        page.select_option("select[aria-label=second]", label=name)
        page.wait_for_timeout(600)
        wanted = cohen_kappa_score(a[kept].astype(str), b[kept].astype(str))
        assert page.inner_text("[data-role=kappa]") == f"{wanted:.2f}"
        agreed = (a[kept] == b[kept]).sum() / 1000
        text = page.inner_text(".agreement-result")
        assert f"in {agreed:.1f} s of {kept.sum() / 1000:.1f} s" in text
        fear = cohen_kappa_score(a[kept] == "fear", b[kept] == "fear")
        cells = page.locator(".agreement-result tr:has(th:text-is('fear')) td").all_inner_texts()
        assert cells[0] == f"{fear:.2f}"


def test_an_elan_file_comes_back_unchanged(open_page, recognised, tmp_path):
    pympi = pytest.importorskip("pympi")
    page = open_page()
    start(page)
    for from_s, to_s, key in ((0.5, 2, "4"), (2.05, 3, "x"), (4, 6, "1")):
        drag(page, from_s, to_s)
        page.keyboard.press(key)
        page.keyboard.press("Escape")
    page.fill("label:has-text('Person coded') input", "P1")
    page.keyboard.press("Tab")
    before = json.loads(exported(page, "json"))["tiers"]
    assert before[0]["name"] == "AB@P1" and len(before[0]["intervals"]) == 3
    (tmp_path / "a.eaf").write_bytes(exported(page, "eaf"))
    pympi.Eaf(tmp_path / "a.eaf").to_file(tmp_path / "b.eaf")
    for name in ("a.eaf", "b.eaf"):
        page.click("text=Remove lane")
        imported(page, name, (tmp_path / name).read_bytes())
        assert json.loads(exported(page, "json"))["tiers"] == before
        again = exported(page, "eaf").decode()
        assert without_date(again) == without_date((tmp_path / "a.eaf").read_text())


def without_date(text):
    return text.partition(' DATE="')[0] + text.partition(' DATE="')[2].partition('"')[2]


def test_a_file_that_cannot_be_read(open_page, recognised):
    page = open_page()
    start(page)
    imported(page, "x.eaf", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    assert "it is no eaf file, or is damaged; export it again" in page.inner_text(".toast")
    assert stored(page) == [[]]


def test_two_tabs_do_not_overwrite_each_other(open_page, recognised):
    first = open_page()
    start(first)
    drag(first, 0.5, 1.5)
    first.keyboard.press("1")
    other = first.context.new_page()
    kept = stored(first)
    other.goto("/")
    other.wait_for_selector(".file-list li")
    first.choose(other)
    assert stored(other) == kept
    drag(other, 2.0, 2.5)
    other.keyboard.press("2")
    first.wait_for_selector(".coding .warning >> text=Another tab changed the coding")
    both = stored(other)
    assert len(both[0]) == 2 and other.locator(".coding .warning").count() == 0
    drag(first, 3.0, 3.5)
    first.keyboard.press("3")
    assert stored(first) == both
    first.reload()
    first.choose(first)
    assert stored(first) == both and first.locator(".coding .warning").count() == 0


def test_a_coding_that_is_dropped_is_imported(open_page, recognised):
    page = open_page()
    vtt = "WEBVTT\n\n00:00.500 --> 00:01.500\nhappy\n"

    def drop(target):
        target.evaluate(
            """(text) => {
                const data = new DataTransfer();
                data.items.add(new File([text], "mine.vtt"));
                const init = {dataTransfer: data, bubbles: true, cancelable: true};
                document.dispatchEvent(new DragEvent("drop", init));
            }""",
            vtt,
        )

    drop(page)
    page.wait_for_selector(LANE)
    assert stored(page) == [[(500, 1500, "happy")]]
    assert page.locator(".file-list li").count() == 1
    empty = page.context.new_page()
    empty.goto("/")
    drop(empty)
    empty.wait_for_selector(".toast >> text=mine.vtt is a coding: choose its recording first")
