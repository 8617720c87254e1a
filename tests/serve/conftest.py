"""A running service for the tests of its routes."""

import time

import pytest
from fastapi.testclient import TestClient

from avtca.serve.app import create_app
from avtca.serve.settings import Settings

ADDRESS = "http://127.0.0.1"
"""A service without tokens answers to names of this machine only."""


@pytest.fixture(scope="session")
def make_client(tmp_path_factory):
    """A function that makes a client of a service with other settings."""
    clients = []

    def make(**settings):
        folder = settings.pop("data", None) or tmp_path_factory.mktemp("data")
        app = create_app(Settings(data=folder, **{"workers": 1, "shutdown_s": 1, **settings}))
        client = TestClient(app, base_url=ADDRESS)
        clients.append(client)
        client.__enter__()
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(make_client):
    """A client of a service with one worker."""
    return make_client()


@pytest.fixture
def finished():
    """A function that waits until a job ends, and returns it."""

    def wait(client, id, seconds=60):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            job = client.get(f"/v1/jobs/{id}").json()
            if job["state"] not in ("queued", "running"):
                return job
            time.sleep(0.05)
        raise AssertionError(job)

    return wait
