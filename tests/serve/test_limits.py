"""What is over a limit is refused with its status, and what is refused leaves nothing behind."""

import errno
import json
import os
import re
import threading
import time

import pytest
from services import long_speech, until

import avtca

CLIP = "cremad/1001_DFA_ANG_XX.flv"


@pytest.fixture(scope="module")
def small(make_client):
    """A client of a service with small limits."""
    return make_client(max_mb=1, max_media_s=2, max_pixels=10_000)


@pytest.fixture(scope="module")
def speech(corpora, tmp_path_factory):
    return long_speech(corpora / CLIP, 400, tmp_path_factory.mktemp("speech") / "long.wav")


def spool(client):
    return list(client.app.state.service.spool.iterdir())


def test_uploads_over_the_limit(small):
    body = b"x" * 1_200_000
    for answer in (
        small.post("/v1/recognize", files={"file": ("a.mp4", body)}),
        small.post("/v1/jobs?name=a.mp4", content=body),
        small.post("/v1/jobs?name=a.mp4", content=iter([body[:600_000]] * 2)),  # no length
    ):
        assert answer.status_code == 413
        assert answer.json()["detail"].startswith("receive the upload: it is larger than 1 MB")
    assert spool(small) == []


def test_recordings_over_the_limit(small, corpora):
    with (corpora / CLIP).open("rb") as file:
        answer = small.post("/v1/recognize", files={"file": file})
    assert answer.status_code == 422
    assert "1001_DFA_ANG_XX.flv: it is longer than the 2 s" in answer.json()["detail"]
    with (corpora / CLIP).open("rb") as file:
        answer = small.post("/v1/recognize?end_s=1", files={"file": file})
    assert answer.status_code == 422
    assert "its frames have 480 x 360 pixels" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("model=none", "use model none: there is none; choose one of default, avt-ca"),
        ("format=doc", "write doc: no such format"),
        ("window_s=99", "use windows of 99 s"),
        ("hop_s=0", "use a hop of 0 s"),
        ("attention=true", "has no attention"),
        ("start_s=-1", "start_s is -1; give at least 0"),
        ("start_s=3&end_s=2", "the start, 3 s, is not before the end, 2 s"),
        ("window_s=nan", "use windows of nan s"),
    ],
)
def test_options_are_checked(client, corpora, query, problem):
    with (corpora / CLIP).open("rb") as file:
        answer = client.post(f"/v1/recognize?{query}", files={"file": file})
    assert answer.status_code == 422
    assert problem in answer.json()["detail"]
    assert spool(client) == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"garbage", 400),
        ({"Content-Type": "multipart/form-data"}, b"garbage", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\n", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--\r\n", 422),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"", 400),
        ({}, b"", 422),
    ],
)
def test_damaged_bodies(client, headers, body, status):
    answer = client.post("/v1/recognize", headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert spool(client) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ([("file", ("c.mp4", b"x"))], "there are several files; send one request for each"),
        ([("person", (None, b"all"))], "the form has a field person, and only file is read"),
        ([("é\n", ("c.mp4", b"x"))], "the form has a field é"),
    ],
)
def test_a_form_has_one_file_and_no_options(client, corpora, fields, problem):
    """Options that were skipped would give an answer for others."""
    clip = ("file", ("é\n.flv", (corpora / CLIP).read_bytes()))
    for form in ([clip, *fields], [*fields, clip]):
        answer = client.post("/v1/recognize", files=form)
        assert answer.status_code == 422 and problem in answer.json()["detail"], answer.text
        assert spool(client) == []
    answer = client.post("/v1/recognize", files=[clip])
    assert answer.status_code == 200 and answer.json()["top"] == "angry"


def test_a_full_queue_is_503_and_too_many_of_a_token_429(make_client, speech):
    body = speech.read_bytes()
    for limits, status, problem in (
        ({"max_queue": 0}, 503, "all 1 places are taken"),
        ({"max_jobs": 1}, 429, "1 recordings of this token wait or are read"),
    ):
        client = make_client(**limits)
        job = client.post("/v1/jobs?name=a.wav", content=body)
        assert job.status_code == 202
        full = client.post("/v1/jobs?name=b.wav", content=body)
        assert full.status_code == status and problem in full.json()["detail"]
        assert 1 <= int(full.headers["retry-after"]) <= 60
        client.delete(job.headers["location"])
        until(lambda client=client: not client.app.state.service._active)
        assert client.post("/v1/jobs?name=b.mp4", content=b"x").status_code == 202


def test_a_client_waits_for_a_worker_in_limits(make_client, speech):
    client = make_client(max_wait_s=0.3)
    until(lambda: client.get("/readyz").status_code == 200)
    body = speech.read_bytes()
    job = client.post("/v1/jobs?name=a.wav", content=body).json()
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "running")
    answer = client.post("/v1/recognize?name=b.wav", content=body)
    assert answer.status_code == 503 and "no worker was free" in answer.json()["detail"]
    started = time.monotonic()
    assert client.delete(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
    service = client.app.state.service
    until(lambda: not service._active)  # the worker reacts to the cancellation
    assert time.monotonic() - started < 5
    assert service.pool.ready == 1 and spool(client) == []
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_reading_ends_at_its_time(make_client, speech):
    client = make_client(max_read_s=0.5)
    answer = client.post("/v1/recognize?name=b.wav", content=speech.read_bytes())
    assert answer.status_code == 422 and "it took longer than 0.5 s" in answer.json()["detail"]
    until(lambda: client.get("/readyz").status_code == 200)


def test_memory_of_a_worker_is_limited(make_client, corpora):
    client = make_client(max_worker_mb=1)
    body = (corpora / CLIP).read_bytes()
    for _ in range(2):  # refused, or ended by a library that cannot do without
        answer = client.post("/v1/recognize?name=b.flv", content=body)
        assert answer.status_code == 422
        assert re.search(r"b\.flv: .* memory", answer.json()["detail"])


def test_media_are_kept_until_the_job_expires_where_that_is_wanted(make_client, finished):
    client = make_client(keep_media=True)
    job = client.post("/v1/jobs?name=../a.mp4", content=b"no media").json()
    assert finished(client, job["id"])["state"] == "failed"
    (path,) = spool(client)
    assert path.read_bytes() == b"no media" and path.suffix == ".mp4" and path.stem != "a"
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 200
    assert spool(client) == []


def test_the_oldest_results_of_a_token_go_first(make_client, finished):
    client = make_client(max_results=2, keep_media=True)
    ids = []
    for number in range(4):
        ids.append(client.post(f"/v1/jobs?name={number}.mp4", content=b"secret").json()["id"])
        finished(client, ids[-1])
    kept = [job["name"] for job in client.get("/v1/jobs").json()["jobs"]]
    assert kept == ["3.mp4", "2.mp4", "1.mp4"]  # two, and the one that was new
    assert len(spool(client)) == 3
    for id in ids[1:]:
        client.delete(f"/v1/jobs/{id}")
    data = client.app.state.service.settings.data
    files = [path.read_bytes() for path in data.glob("jobs.sqlite3*")]
    assert files and not any(b"3.mp4" in content for content in files)


def test_a_full_disk_is_507(client, monkeypatch):
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("avtca.serve.uploads._Writer.append", write)
    for answer in (
        client.post("/v1/jobs?name=a.mp4", content=b"x"),
        client.post("/v1/recognize", files={"file": ("a.mp4", b"x")}),
    ):
        assert answer.status_code == 507
        assert "the disk of the service is full" in answer.json()["detail"]
    assert spool(client) == [] and not client.app.state.service._active


def test_an_internal_error_tells_nothing(client, monkeypatch, caplog):
    def fail(*arguments):
        raise RuntimeError("secret.mp4")

    monkeypatch.setattr(client.app.state.service, "admit", fail)
    answer = client.post("/v1/jobs?name=secret.mp4", content=b"x")
    assert answer.status_code == 500 and "secret" not in answer.text + caplog.text
    assert answer.json()["instance"] == answer.headers["x-request-id"]


def test_results_expire(make_client, finished):
    client = make_client(keep_s=0.2)
    service = client.app.state.service
    job = client.post("/v1/jobs?name=a.mp4", content=b"no media").json()
    until(lambda: client.get(f"/v1/jobs/{job['id']}").status_code == 404)
    assert service.store.kept() == []


def test_several_at_once_have_their_own_answers(client, corpora):
    clips = sorted((corpora / "cremad").glob("*.flv"))[:2]
    found = []

    def ask(clip):
        with clip.open("rb") as file:
            found.append(client.post("/v1/recognize", files={"file": file}).json())

    threads = [threading.Thread(target=ask, args=(clip,)) for clip in clips * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recognizer = avtca.load()
    for clip in clips:
        expected = recognizer.predict(clip).to_dict() | {"file": clip.name}
        assert found.count(json.loads(json.dumps(expected))) == 2
