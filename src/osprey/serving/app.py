"""The service as an application for a server of ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from osprey import __version__
from osprey.serving.refusals import add_handlers
from osprey.serving.routers import answers, documentation, page, status, tasks
from osprey.serving.service import Service
from osprey.serving.watching import Watching

# A further one is a file and a name here.
ROUTERS = (answers.router, status.router, tasks.router, page.router, documentation.router)


def create_app(service: Service, stop: Callable[[], None]) -> FastAPI:
    """The application.

    Args:
        service: What it answers with.
        stop: Ends the server; called when a bundle cannot be loaded.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start(stop)
        try:
            yield
        finally:
            await service.close()

    app = FastAPI(
        title="Osprey",
        version=__version__,
        description="What is on a photo, from bundles that `osprey export` wrote.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own load their scripts from a public host
        redoc_url=None,
    )
    app.state.service = service
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.state.paths = [str(getattr(x, "path", "")) for router in ROUTERS for x in router.routes]
    app.add_middleware(Watching, metrics=service.metrics)
    return app
