"""The live socket: real clips through it, values compared, and clients that misbehave."""

import io
import json
import os
import random
import signal
import time

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from starlette.websockets import WebSocketDisconnect

import avtca
from avtca.media import open_media
from avtca.serve import live_worker
from avtca.serve.live_document import EXAMPLES, asyncapi_document
from avtca.serve.live_messages import AUDIO, PICTURE, SessionUpdates
from avtca.serve.pictures import decode_picture

ADDRESS = "ws://127.0.0.1/v1/live"
ZERO_US = 1_000_000_000_000


def binary(kind, time_us, payload):
    return bytes([kind]) + time_us.to_bytes(8, "big") + payload


def jpeg(rgb, **options):
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", **{"quality": 95, **options})
    return out.getvalue()


class Client:
    """Sends and receives; every message from the server fits the AsyncAPI document."""

    def __init__(self, socket, **create):
        self.socket, self.results, self.errors = socket, [], []
        self.send({"type": "session.create", **create})
        self.created = self.receive()

    def send(self, message):
        self.socket.send_text(json.dumps(message))

    def receive(self):
        message = json.loads(self.socket.receive_text())
        assert not list(schema(message["type"]).iter_errors(message)), message
        if message["type"] == "measurement.result":
            self.results.append(message)
        if message["type"] == "error":
            self.errors.append(message)
        return message

    def picture(self, time_s, payload):
        self.socket.send_bytes(binary(PICTURE, ZERO_US + round(1e6 * time_s), payload))

    def audio(self, time_s, samples):
        payload = np.asarray(samples, "<i2").tobytes()
        self.socket.send_bytes(binary(AUDIO, ZERO_US + round(1e6 * time_s), payload))

    def finish(self):
        self.send({"type": "finalize"})
        while (message := self.receive())["type"] != "session.closed":
            pass
        return message


def schema(name):
    document = asyncapi_document()
    payload = document["components"]["messages"][name]["payload"]
    return Draft202012Validator({**payload, "components": document["components"]})


@pytest.fixture(scope="module")
def clip(corpora):
    """JPEGs with their times, 16-bit audio, and the frames of the JPEGs."""
    media = open_media(corpora / "cremad" / "1001_DFA_HAP_XX.flv")
    frames = list(media.frames(15))
    wave = np.concatenate(list(media.audio(16_000)))
    return {
        "times": [round(frame.time_s, 6) for frame in frames],
        "jpegs": [jpeg(frame.rgb) for frame in frames],
        "audio": np.clip(wave * 2**15, -(2**15), 2**15 - 1).astype(np.int16),
    }


def play(client, clip, from_s=0.0, until_s=9.0, n=640):
    """Send a part of a clip in the order of its times, faster than it was recorded."""
    blocks = [(start / 16_000, start) for start in range(0, len(clip["audio"]), n)]
    events = [(at, client.audio, clip["audio"][start : start + n]) for at, start in blocks]
    pictures = zip(clip["times"], clip["jpegs"], strict=True)
    events += [(time_s, client.picture, picture) for time_s, picture in pictures]
    for time_s, send, payload in sorted(events, key=lambda event: event[0]):
        if from_s <= time_s < until_s:
            send(time_s, payload)
            time.sleep(0.02 if send == client.picture else 0)


@pytest.fixture
def patient(monkeypatch):
    """No picture is dropped, however busy the machine is."""
    monkeypatch.setattr(live_worker, "STALE_S", 60.0)
    monkeypatch.setattr(live_worker, "MAX_PICTURES", 1000)


def test_results_of_a_clip_equal_those_of_predict(client, clip, patient):
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0, "every_s": 0.2, "start_us": ZERO_US})
        assert live.created["type"] == "session.created" and not live.created["resumed"]
        assert live.created["labels"] == list(avtca.load().backend.spec.labels)
        play(live, clip)
        closed = live.finish()
    pixels = [decode_picture(one, 10**7) for one in clip["jpegs"]]
    arrays = {"frames": pixels, "timestamps": clip["times"]}
    arrays |= {"waveform": clip["audio"], "sample_rate": 16_000}
    report = avtca.load().predict(arrays, window_s=1.0, hop_s=0.1)
    rows = {(row["start_s"], row["end_s"]): row for row in report.to_dict()["timeline"]}
    assert [one["people"][0]["end_s"] for one in live.results] == [1.1, 1.3, 1.5, 1.7, 2.0]
    for k, result in enumerate(live.results):
        found, *others = result["people"]
        row = rows[found["start_s"], found["end_s"]]
        assert found["scores"] == pytest.approx(row["scores"], abs=1e-4) and not others
        assert found["speaking"] is None  # a live session looks for it among several faces only
        same = row.keys() - {"scores", "speaking"}
        assert {key: found[key] for key in same} == {key: row[key] for key in same}
        assert result["sequence"] == k and result["final"] == (k == 4)
        assert result["end_us"] == ZERO_US + round(1e6 * found["end_s"])
        assert 0 < result["delay_ms"] < 5000
    assert closed["reason"] == "finalized" and closed["results"] == 5
    assert closed["counts"] == {
        "pictures": len(clip["times"]),
        "audio_blocks": -(-len(clip["audio"]) // 640),
        **dict.fromkeys(("stale", "stale_audio", "over_rate", "bad_pictures", "bad_audio"), 0),
    }


@pytest.mark.slow
def test_a_face_that_does_not_speak_is_read_without_the_voice(client, shared, patient):
    """Two people side by side; the one at the left speaks."""
    left, right = (open_media(shared / "talking" / one) for one in ("lwbsza.mpg", "bbaf2n.mpg"))
    pairs = list(zip(left.frames(25), right.frames(25), strict=False))
    wave = np.concatenate(list(left.audio(16_000)))
    film = {
        "times": [round(one.time_s, 6) for one, _ in pairs],
        "jpegs": [jpeg(np.hstack([one.rgb, other.rgb])) for one, other in pairs],
        "audio": np.clip(wave * 2**15, -(2**15), 2**15 - 1).astype(np.int16),
    }
    with client.websocket_connect(ADDRESS) as socket:
        session = {"every_s": 1.0, "person": "all", "start_us": ZERO_US}
        live = Client(socket, session=session)
        play(live, film)
        live.finish()
    speaker, listener = sorted(live.results[-1]["people"], key=lambda row: row["box"][0])
    assert speaker["modalities"] == ["face", "voice"] and speaker["speaking"] > 0.25
    assert listener["modalities"] == ["face"] and listener["speaking"] < 0.02
    assert listener["sure_from"] == round(live.created["thresholds"]["face"], 4)
    assert listener["voice"] == speaker["voice"] > 0.3 and not listener["doubts"]


def test_bad_media_and_messages_concern_themselves_only(client, clip, patient):
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0, "start_us": ZERO_US})
        good = jpeg(np.zeros((64, 64, 3), np.uint8))
        bad = [good[: len(good) // 2], b"\xff\xd8 not a picture", bytes(500)]
        bad += [jpeg(np.zeros((8, 8, 3), np.uint8)), jpeg(np.zeros((1500, 1500, 3), np.uint8))]
        for k, payload in enumerate(bad):
            live.picture(0.001 * k, payload)
        socket.send_bytes(binary(AUDIO, ZERO_US, b"odd"))
        socket.send_bytes(binary(AUDIO, ZERO_US, bytes(32_002)))
        texts = [live.receive() for _ in range(7)]
        assert [one["code"] for one in texts] == ["bad_picture"] * 5 + ["bad_audio"] * 2
        assert "1500 x 1500 pixels" in texts[4]["problem"] and not texts[4]["fatal"]
        time.sleep(0.7)  # errors are limited to ten a second
        for data in (b"", bytes(9), binary(7, ZERO_US, b"abc")):
            socket.send_bytes(data)
        socket.send_text("{")
        socket.send_text(json.dumps({"type": "session.update", "session": {"every_s": 0}}))
        socket.send_bytes(binary(PICTURE, 2**64 - 1, good))
        socket.send_bytes(binary(AUDIO, ZERO_US, bytes(1_100_000)))
        codes = [live.receive()["code"] for _ in range(7)]
        assert codes == ["bad_message"] * 4 + ["bad_settings", "bad_time", "too_large"]
        play(live, clip)
        closed = live.finish()
    assert [one["people"][0]["modalities"] for one in live.results] == [["face", "voice"]] * 3
    assert closed["counts"]["bad_pictures"] == 5 and closed["counts"]["bad_audio"] == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_picture_that_ends_its_decoder_concerns_its_session_only(client, clip, patient):
    with client.websocket_connect(ADDRESS) as one, client.websocket_connect(ADDRESS) as two:
        both = [Client(each, session={"window_s": 1.0, "start_us": ZERO_US}) for each in (one, two)]
        session = client.app.state.live._sessions[both[0].created["session_id"]]
        os.kill(session.decoder.process.pid, signal.SIGSEGV)
        both[0].picture(0.0, clip["jpegs"][0])
        error = both[0].receive()
        assert (error["code"], error["fatal"]) == ("bad_picture", False)
        assert error["problem"] == "the process that decoded it took too long, or ended"
        for live in both:
            play(live, clip, from_s=0.01)
        bad = [live.finish()["counts"]["bad_pictures"] for live in both]
    assert bad == [1, 0]
    for live in both:
        assert live.results[-1]["people"][0]["modalities"] == ["face", "voice"]
    assert session.decoder.process is None  # it ends with its session


def test_random_messages(client, clip, patient):
    rng = random.Random(0)
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0, "every_s": 0.2, "start_us": ZERO_US})
        for k in range(200):
            damaged = bytearray(clip["jpegs"][k % 20])
            for _ in range(5):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            time_us = ZERO_US + 1000 * k
            choices = [
                binary(PICTURE, time_us, bytes(damaged)),
                binary(AUDIO, time_us, rng.randbytes(rng.randrange(1, 2000))),
                rng.randbytes(rng.randrange(40)),
            ]
            socket.send_bytes(rng.choice(choices))
            socket.send_text(json.dumps(rng.choice([None, 1, [], {"type": 1}, {"session": {}}])))
            time.sleep(0.005)
        play(live, clip, from_s=0.5)
        closed = live.finish()
    assert closed["reason"] == "finalized" and closed["results"] >= 3
    assert live.results[-1]["people"][0]["modalities"] == ["face", "voice"]
    assert {error["code"] for error in live.errors} >= {"bad_message"}
    assert not any(error["code"] == "internal" for error in live.errors)


def test_settings_change_during_a_session(client, clip):
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0, "every_s": 5})
        live.send({"type": "session.update", "session": {"every_s": 0.2, "person": "all"}})
        updated = live.receive()
        assert updated["settings"]["every_s"] == 0.2 and updated["settings"]["person"] == "all"
        assert updated["settings"]["window_s"] == 1.0 and updated["settings"]["model"] == "default"
        session = client.app.state.live._sessions[live.created["session_id"]]
        engine = session._engine()  # as after an internal error
        assert (engine.every_s, engine.person) == (0.2, "all")
        live.send({"type": "session.create"})
        assert live.receive()["problem"] == "the session has started"
        assert live.finish()["results"] == 0


@pytest.mark.parametrize(
    ("create", "code", "problem"),
    [
        ({"session": {"model": "other"}}, "bad_settings", "there is none"),
        ({"session": {"window_s": 99}}, "bad_settings", "this network takes 0.1 to 3.6 s"),
        ({"session": {"every_s": 0.01}}, "bad_settings", "session.every_s"),
        ({"session": {"colour": 1}}, "bad_settings", "session.colour is unknown"),
        ({"type": "finalize"}, "bad_message", "the first message is finalize"),
        ({"type": "session.start"}, "bad_message", "its type is session.start"),
    ],
)
def test_a_session_that_cannot_start(client, create, code, problem):
    with client.websocket_connect(ADDRESS) as socket:
        error = Client(socket, **create).created
        assert (error["type"], error["code"], error["fatal"]) == ("error", code, True)
        assert problem in error["problem"]
        assert socket.receive() == {"type": "websocket.close", "code": 1008, "reason": ""}


def test_a_lost_socket_and_its_session(client, clip, patient):
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0, "start_us": ZERO_US})
        play(live, clip, until_s=1.0)
        socket.close(3000)
    with client.websocket_connect(ADDRESS) as socket:
        resumed = Client(socket, session_id=live.created["session_id"])
        assert resumed.created["resumed"] is True
        assert resumed.created["session_id"] == live.created["session_id"]
        assert resumed.created["settings"] == live.created["settings"]
        play(resumed, clip, from_s=1.0)
        closed = resumed.finish()
    assert [round(one["people"][0]["end_s"], 1) for one in resumed.results] == [1.1, 1.5, 2.0]
    assert {one["people"][0]["person"] for one in resumed.results} == {0}
    assert closed["counts"]["pictures"] == len(clip["times"])
    with client.websocket_connect(ADDRESS) as socket:
        anew = Client(socket, session_id=live.created["session_id"])
        assert anew.created["resumed"] is False
        assert anew.created["session_id"] != live.created["session_id"]


def test_a_second_socket_takes_a_session_over(client):
    with client.websocket_connect(ADDRESS) as first:
        live = Client(first)
        with client.websocket_connect(ADDRESS) as second:
            again = Client(second, session_id=live.created["session_id"])
            assert again.created["resumed"] is True
            assert live.receive()["reason"] == "replaced"
            assert again.finish()["reason"] == "finalized"


def test_a_closed_socket_ends_its_session(client):
    with client.websocket_connect(ADDRESS) as socket:
        session_id = Client(socket).created["session_id"]
    with client.websocket_connect(ADDRESS) as socket:
        assert Client(socket, session_id=session_id).created["resumed"] is False


def test_limits_of_sessions_and_owners(make_client, tmp_path):
    tokens = ["a" * 16, "b" * 16]
    (tmp_path / "tokens").write_text("\n".join(tokens))
    client = make_client(token_file=tmp_path / "tokens", live_sessions=2)
    address = f"{ADDRESS}?token="
    with client.websocket_connect(address + tokens[0]) as one:
        first = Client(one)
        with client.websocket_connect(address + tokens[1]) as other:
            stolen = Client(other, session_id=first.created["session_id"])
            assert stolen.created["resumed"] is False
            with client.websocket_connect(address + tokens[0]) as third:
                error = Client(third).created
                assert (error["code"], error["fatal"]) == ("too_many_sessions", True)
                assert third.receive()["code"] == 1013
            other.close(3000)  # lost: it makes room
        with client.websocket_connect(address + tokens[0]) as third:
            assert Client(third).finish()["reason"] == "finalized"
        assert first.finish()["reason"] == "finalized"
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(ADDRESS):
        pass
    assert refused.value.code == 1008
    assert (
        "avtca_live_sessions 0.0"
        in client.get("/metrics", headers={"Authorization": f"Bearer {tokens[0]}"}).text
    )


def test_limits_of_time(make_client):
    with make_client(live_idle_s=1).websocket_connect(ADDRESS) as silent:
        assert Client(silent).receive()["reason"] == "idle"
    client, started = make_client(live_s=2), time.monotonic()
    with client.websocket_connect(ADDRESS) as socket:
        busy = Client(socket)
        answer = busy.created
        while answer["type"] != "session.closed":
            busy.send({"type": "session.update", "session": {}})
            answer = busy.receive()
            time.sleep(0.1)
        assert answer["reason"] == "limit" and time.monotonic() - started > 2


def worker(read_s=0.0, **options):
    """A worker whose engine takes a time for each picture, and what it was given."""
    seen, ended, failures, behind = [], [], [], []

    class Engine:
        audio_s, frame_s = 0.0, -1.0

        def needs(self, time_s):
            return True

        def add_frame(self, time_s, rgb, *, arrived_s):
            time.sleep(read_s)
            if rgb[0, 0, 0] > 200:
                raise ZeroDivisionError
            seen.append(round(float(time_s), 2))
            behind.append(self.behind)
            return []

        def finish(self):
            return []

    def decode(payload):
        return decode_picture(bytes(payload), 10**6)

    values = {"decode": decode, "pictures_per_s": 1000.0, "start_us": 0}
    found = live_worker.LiveWorker(
        Engine,
        **{**values, **options},
        on_result=lambda result: None,
        on_error=lambda error, time_us: failures.append((error.code, time_us)),
        on_end=lambda: ended.append(True),
    )
    found.behind = behind
    return found, seen, failures, ended


def test_stale_pictures_are_dropped_and_counted():
    found, seen, _, ended = worker(read_s=0.05)
    picture = memoryview(jpeg(np.zeros((32, 32, 3), np.uint8)))
    for k in range(50):
        found.add(PICTURE, 10_000 * k, picture)
        time.sleep(0.01)
    found.finalize()
    found.join(5)
    assert ended and seen == sorted(seen) and seen[-1] == 0.49
    assert len(seen) + found.counts.stale == found.counts.pictures == 50
    assert 8 <= len(seen) <= 25
    assert not found.behind[0] and not found.behind[-1]  # the last has nothing behind it


def test_too_many_media_a_second_are_dropped_and_counted():
    found, seen, _, _ = worker(pictures_per_s=5.0)
    picture = memoryview(jpeg(np.zeros((32, 32, 3), np.uint8)))
    for k in range(20):
        found.add(PICTURE, 10_000 * k, picture)
    found.finalize()
    found.join(5)
    assert len(seen) == 5 and found.counts.over_rate == 15 and found.counts.stale == 0


def test_an_internal_error_restarts_the_engine():
    found, seen, failures, ended = worker()
    for k, value in enumerate((0, 255, 0)):
        rgb = np.full((32, 32, 3), value, np.uint8)
        found.add(PICTURE, 10_000 * k, memoryview(jpeg(rgb)))
    found.finalize()
    found.join(5)
    assert seen == [0.0, 0.02] and failures == [("internal", 10_000)] and ended


def test_settings_that_change_one_after_the_other_are_all_changed():
    found, seen, _, _ = worker()
    for changes in ({"every_s": 0.2}, {"person": "all"}):
        found.update(SessionUpdates(**changes))
    found.add(PICTURE, 0, memoryview(jpeg(np.zeros((32, 32, 3), np.uint8))))
    found.finalize()
    found.join(5)
    assert seen == [0.0]
    assert (found._session.every_s, found._session.person) == (0.2, "all")


def test_pictures_of_other_sizes(client, patient):
    rng = np.random.default_rng(0)
    with client.websocket_connect(ADDRESS) as socket:
        live = Client(socket, session={"window_s": 1.0})
        sizes = [(480, 640), (640, 480), (16, 16), (16, 1000), (1000, 16), (33, 47)]
        for k in range(24):
            height, width = sizes[k % len(sizes)]
            rgb = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
            live.picture(k / 15, jpeg(rgb, progressive=k % 2 == 1))
            time.sleep(0.03)
        closed = live.finish()
    assert not live.errors and closed["results"] >= 2 and closed["counts"]["bad_pictures"] == 0


def test_the_asyncapi_document(client):
    document = client.get("/asyncapi.json").json()
    assert document["asyncapi"] == "3.0.0" and "/v1/live" in str(document["channels"])

    def check(value):
        if isinstance(value, dict):
            if "$ref" in value:
                target = document
                for part in value["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for each in value.values():
                check(each)
        elif isinstance(value, list):
            for each in value:
                check(each)

    check(document)
    for name, example in EXAMPLES.items():
        assert not list(schema(name).iter_errors(example)), name
        assert document["components"]["messages"][name]["examples"] == [{"payload": example}]
