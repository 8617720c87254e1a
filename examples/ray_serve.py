"""`avtca serve` on Ray Serve: several replicas of the service behind one address.

    pip install 'avtca[serve]' 'ray[serve]'
    python examples/ray_serve.py

Each replica has its own folder and its own jobs, so use /v1/recognize, or one replica for jobs.
"""

import tempfile

from fastapi import FastAPI
from ray import serve

REPLICAS, PORT = 2, 8000


def make_app() -> FastAPI:
    """The application of one replica, made in its process."""
    from avtca.serve.app import create_app
    from avtca.serve.settings import load_settings

    return create_app(load_settings(workers=1, data=tempfile.mkdtemp(prefix="avtca-")))


@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=8)
@serve.ingress(make_app)
class Service:
    """Replicas of the service."""


service = Service.bind()

if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(service, blocking=True)
