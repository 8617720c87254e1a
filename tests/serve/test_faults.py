"""Faults of clients, recordings and the machine: the service stays up and nothing is lost."""

import os
import re
import signal
import socket
import subprocess
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from mutants import make_clips, mutants, recording
from services import long_speech, serving, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux: /proc"),
]
CLIP = "cremad/1001_DFA_ANG_XX.flv"
N_MUTANTS, SPEECH_S = 100, 40


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service in its own process, for the tests that do not stop it."""
    with serving(tmp_path_factory.mktemp("serve") / "data") as service:
        service.ready()
        yield service
        assert service.process.poll() is None


@pytest.fixture(scope="module")
def speech(corpora, tmp_path_factory):
    return long_speech(corpora / CLIP, SPEECH_S, tmp_path_factory.mktemp("speech") / "long.wav")


def spool(service):
    folder = service.log.parent / "data" / "spool"
    return list(folder.iterdir())


def busy(service):
    return "avtca_busy 1.0" in service.client.get("/metrics").text


def test_a_user_without_a_home(corpora, tmp_path, monkeypatch):
    for name in ("HOME", "AVTCA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/dev/null/none")
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    with serving(tmp_path / "data") as service:
        service.ready()
        for format in ("json", "html"):
            address = f"/v1/recognize?name=a.flv&format={format}"
            answer = service.client.post(address, content=(corpora / CLIP).read_bytes())
            assert answer.status_code == 200, service.log.read_text()


def test_a_client_that_is_gone_in_mid_upload_leaves_nothing(service):
    address = service.client.base_url
    for path in ("/v1/recognize?name=a.mp4", "/v1/jobs?name=a.mp4"):
        with socket.create_connection((address.host, address.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999\r\n\r\n"
            connection.sendall(head.encode() + b"x" * 500_000)
            until(lambda: spool(service))
    until(lambda: not spool(service))
    assert service.client.get("/v1/jobs").json() == {"jobs": []}


def test_a_client_that_is_gone_while_it_waits_ends_the_reading(service, speech):
    address = service.client.base_url
    body = speech.read_bytes()
    with socket.create_connection((address.host, address.port)) as connection:
        head = "POST /v1/recognize?name=a.wav HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: busy(service))
    until(lambda: not busy(service) and not spool(service))
    service.ready()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff" * 5000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ",
    ],
)
def test_garbage_on_the_wire(service, data):
    address = service.client.base_url
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
        assert not answer or re.match(rb"HTTP/1\.1 4\d\d", answer), answer
    assert service.client.get("/healthz").status_code == 200


def test_a_killed_worker_is_replaced_and_its_job_done(service, corpora):
    with (corpora / CLIP).open("rb") as file:
        job = service.client.post("/v1/jobs", files={"file": file}).json()
    until(lambda: busy(service))
    (worker,) = service.children()
    os.kill(worker, signal.SIGKILL)
    job = service.finished(job["id"])
    assert job["state"] == "done" and service.children() != [worker]
    report = service.client.get(f"/v1/jobs/{job['id']}/report").json()
    assert (report["file"], report["top"]) == ("1001_DFA_ANG_XX.flv", "angry")
    assert "avtca_worker_restarts_total 1.0" in service.client.get("/metrics").text


def test_a_worker_that_died_while_it_was_idle_costs_no_job(service, corpora):
    os.kill(service.children()[0], signal.SIGSEGV)
    with (corpora / CLIP).open("rb") as file:
        answer = service.client.post("/v1/recognize", files={"file": file})
    assert answer.status_code == 200 and answer.json()["top"] == "angry"


def test_a_recording_that_crashes_its_worker_fails_alone(service, speech):
    job = service.client.post("/v1/jobs?name=a.wav", content=speech.read_bytes()).json()
    until(lambda: busy(service))
    os.kill(service.children()[0], signal.SIGSEGV)
    job = service.finished(job["id"])
    assert job["state"] == "failed" and job["problem"]["status"] == 422
    assert "a.wav: the process that read it ended" in job["problem"]["detail"]
    service.ready()


def test_mutated_recordings_have_their_4xx_and_memory_stays_flat(service, corpora, tmp_path):
    clips = make_clips(recording(corpora.parent, tmp_path), tmp_path)
    statuses, memory = [], []
    for mutant in islice(mutants(clips, N_MUTANTS, seed=26), N_MUTANTS):
        answer = service.client.post(f"/v1/recognize?name={mutant.name}", content=mutant.data)
        statuses.append(answer.status_code)
        assert answer.status_code in (200, 422), (mutant.what, answer.text)
        if answer.status_code == 422:
            assert mutant.name in answer.json()["detail"]
        memory.append(service.memory_mb())
    assert statuses.count(422) > 5 and statuses.count(200) > 20
    assert max(memory[-20:]) < max(memory[20:40]) + 100
    text = service.log.read_text()
    assert "Traceback" not in text
    assert not re.search(r"\.(mp4|mkv|wav|jpg|flv)", text)  # no file names


def test_a_job_survives_the_death_of_the_service(speech, tmp_path, corpora):
    with serving(tmp_path / "data") as service:
        job = service.client.post("/v1/jobs?name=a.wav", content=speech.read_bytes()).json()
        with (corpora / CLIP).open("rb") as file:
            waiting = service.client.post("/v1/jobs", files={"file": file}).json()
        until(lambda: service.client.get(f"/v1/jobs/{job['id']}").json()["done_s"] > 1)
        workers = service.children()
        service.process.kill()
        service.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    (tmp_path / "data" / "spool" / "left over").write_bytes(b"x")
    with serving(tmp_path / "data") as service:
        assert [service.finished(each["id"])["state"] for each in (waiting, job)] == ["done"] * 2
        report = service.client.get(f"/v1/jobs/{job['id']}/report").json()
        assert (report["file"], round(report["duration_s"])) == ("a.wav", SPEECH_S)
        assert spool(service) == []


def test_sigterm_puts_jobs_back_and_ends_streams(speech, tmp_path):
    with serving(tmp_path / "data", shutdown_s=0.5) as service, ExitStack() as stack:
        job = service.client.post("/v1/jobs?name=a.wav", content=speech.read_bytes()).json()
        until(lambda: service.client.get(f"/v1/jobs/{job['id']}").json()["done_s"] > 1)
        stream = service.client.stream("GET", f"/v1/jobs/{job['id']}/events")
        lines = stack.enter_context(stream).iter_lines()
        assert next(lines) == "retry: 2000"
        service.process.send_signal(signal.SIGTERM)
        assert [line for line in lines if line.startswith("event")]  # and the stream ends
        assert service.process.wait(20) == 143
    assert "Traceback" not in service.log.read_text()
    (upload,) = spool(service)
    upload.unlink()
    with serving(tmp_path / "data") as service:
        found = service.finished(job["id"])
        assert found["state"] == "failed"
        assert "the upload is gone; send it again" in found["problem"]["detail"]


def test_a_full_disk(tmp_path, corpora):
    """A small file system, where this user may mount one."""
    folder = tmp_path / "data"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount a file system")
    try:
        with serving(folder) as service:
            body = b"x" * 2_000_000
            for path in ("/v1/jobs?name=a.mp4", "/v1/recognize?name=a.mp4"):
                answer = service.client.post(path, content=body)
                assert answer.status_code == 507, answer.text
            with (corpora / CLIP).open("rb") as file:
                answer = service.client.post("/v1/recognize", files={"file": file})
            assert answer.json()["top"] == "angry"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
