"""`avtca serve` on Ray Serve: replicas of the service behind one address.

    pip install 'avtca[serve]' 'ray[serve]'
    python examples/ray_serve.py                 # Ctrl-C to stop

Address, tokens and limits are the settings of `avtca serve`, from the environment. Requests go to
any replica, and a job is known to one: with more than one replica, use /v1/recognize alone.
"""

import logging
import os
from contextlib import suppress

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends them by default

import ray
from fastapi import FastAPI
from ray import serve

REPLICAS = int(os.environ.get("REPLICAS", "2"))


def make_app() -> FastAPI:
    """The application of one replica, made in its process; each has a folder of the data folder."""
    from avtca.serve.app import create_app
    from avtca.serve.settings import load_settings

    logging.basicConfig()  # errors of the service
    rank = serve.get_replica_context().rank.rank
    return create_app(load_settings(workers=1, data=load_settings().data / f"replica-{rank}"))


# The service itself refuses what is too much, with Retry-After; Ray would let it wait.
@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=100)
@serve.ingress(make_app)
class Service:
    """Replicas of the service."""


service = Service.bind()

if __name__ == "__main__":
    from avtca.serve.settings import load_settings, read_tokens

    settings = load_settings()
    read_tokens(settings)  # fails where other machines would reach a service without tokens
    ray.init(include_dashboard=False)
    serve.start(http_options={"host": settings.host, "port": settings.port})
    with suppress(KeyboardInterrupt):
        serve.run(service, blocking=True)
