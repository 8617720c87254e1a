"""Whether the service lives and is ready, and its metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from avtca.serve.problems import Problem
from avtca.serve.schemas import ReadyBody
from avtca.serve.service import Service

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=ReadyBody)
async def readyz(request: Request) -> dict[str, int]:
    """Whether a worker is ready."""
    service: Service = request.app.state.service
    pool = service.pool
    if service.stopping.is_set() or not pool.ready:
        reason = "the service stops" if service.stopping.is_set() else pool.failure
        raise Problem(503, f"recognise: {reason or 'the workers start'}; try again later", 2)
    return {"ready": pool.ready, "workers": pool.workers, "busy": pool.busy}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    service: Service = request.app.state.service
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
