"""Jobs: progress, results, and whose they are."""

import json
import sqlite3
import zlib
from contextlib import closing

import numpy as np

import avtca
from avtca.serve.store import _SCHEMA, Store

CLIP = "cremad/1001_DFA_ANG_XX.flv"


def test_a_job_has_the_report_the_track_and_events(client, corpora, finished):
    clip = corpora / CLIP
    with clip.open("rb") as file:
        answer = client.post("/v1/jobs", params={"person": "all"}, files={"file": file})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["state"], job["name"], job["problem"]) == ("queued", clip.name, None)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in events.iter_lines() if line.startswith("data: ")]
    states = [json.loads(line[6:])["state"] for line in lines]
    assert states[-1] == "done" and states == sorted(
        states, key=["queued", "running", "done"].index
    )
    job = client.get(f"/v1/jobs/{job['id']}").json()
    assert job["done_s"] == job["duration_s"] and abs(job["duration_s"] - 2.3) < 0.1
    assert job["id"] in [each["id"] for each in client.get("/v1/jobs").json()["jobs"]]

    report = client.get(f"/v1/jobs/{job['id']}/report")
    other = client.get(f"/v1/jobs/{job['id']}/report?person=speaker")
    assert other.status_code == 422 and "person is no option of a report" in other.json()["detail"]
    expected = avtca.load().predict(clip, person="all").to_dict() | {"file": clip.name}
    assert report.json() == json.loads(json.dumps(expected))

    track = client.get(f"/v1/jobs/{job['id']}/track").json()
    row = report.json()["timeline"][0]
    (face,) = track["faces"]
    assert face["person"] == row["person"]
    assert len(face["time_s"]) == len(face["box"]) <= len(track["frames"])
    assert (track["width"], track["height"]) == (480, 360)
    box = np.median(face["box"], axis=0)
    assert np.abs(box - row["box"]).max() < 15
    assert abs(len(track["waveform"]["peaks"]) / 50 - job["duration_s"]) < 0.1
    assert 0.05 < max(track["waveform"]["peaks"]) <= 1
    assert client.get(f"/v1/jobs/{job['id']}/attention").status_code == 404
    assert not list(client.app.state.service.spool.iterdir())

    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 200
    assert client.get(f"/v1/jobs/{job['id']}/report").status_code == 404


def test_a_failed_job_has_the_text_of_the_command_line(client, finished):
    job = client.post("/v1/jobs?name=a.mp4", content=b"no media at all").json()
    job = finished(client, job["id"])
    assert job["state"] == "failed"
    assert job["problem"]["status"] == 422
    assert job["problem"]["detail"].startswith("read a.mp4: it is not a media file")
    answer = client.get(f"/v1/jobs/{job['id']}/report")
    assert answer.status_code == 409 and "it is failed" in answer.json()["detail"]


def test_results_of_an_earlier_version_are_read(tmp_path):
    """Version 1 had no faces."""
    path = tmp_path / "jobs.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            _SCHEMA.replace("    faces BLOB NOT NULL DEFAULT x''\n", "").replace(
                "attention BLOB NOT NULL,", "attention BLOB NOT NULL"
            )
        )
        job = ("a", "owner", "a.mp4", "done", 1, 9e9, 1, 1, None, "a", "default", "{}")
        database.execute(f"INSERT INTO jobs VALUES ({', '.join('?' * len(job))})", job)
        values = ("a", *map(zlib.compress, (b"report", b"track", b"maps")))
        database.execute("INSERT INTO results VALUES (?, ?, ?, ?)", values)
        database.execute("PRAGMA user_version = 1")
        database.commit()
    for _ in range(2):
        with closing(Store(path)) as store:
            assert store.part("a", "report") == b"report" and store.part("a", "faces") == b""
            assert store.get("a").to_dict()["merge"] == []
