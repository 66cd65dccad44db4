"""Whether the service lives, is ready, and what it serves and has done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from osprey.serving.models import Model, not_ready
from osprey.serving.refusals import as_json
from osprey.serving.service import Service, service_of, with_key

router = APIRouter(tags=["status"])
Here = Annotated[Service, Depends(service_of)]


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Response:
    """No key is needed."""
    return as_json({"status": "ok"})


@router.get("/readyz", summary="Whether every model is loaded and warm")
async def readyz(service: Here) -> Response:
    """503 until then. No key is needed."""
    if not service.models.ready:
        raise not_ready()
    return as_json({"status": "ready"})


@router.get("/models", summary="What may be asked", dependencies=[Depends(with_key)])
async def models(service: Here) -> Response:
    """Each with its classes; the first that answers at a path is the one asked by default."""
    return as_json({"models": [_about(model) for model in service.models.all]})


@router.get("/metrics", summary="For Prometheus", dependencies=[Depends(with_key)])
async def metrics(service: Here) -> Response:
    """In Prometheus's own form."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _about(model: Model) -> dict[str, object]:
    if model.now is None:
        return {"name": model.name, "path": model.path, "ready": False}
    card = model.now.predictor.card
    return {
        "name": model.name,
        "path": model.path,
        "ready": True,
        "version": model.now.version,
        "classes": card.classes,
        "network": card.model,
        "precision": card.precision,
        "created": card.created,
        "sha256": card.sha256,
        "unknown_below": card.unknown_below,
    }
