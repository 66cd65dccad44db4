"""The page at ``/``: drop a photo, see the answer. Nothing on it comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response

_FOLDER = Path(__file__).resolve().parents[1] / "page"
# Scripts, styles and answers of this service alone; pictures are the user's own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

router = APIRouter(include_in_schema=False)


def page_response(content: bytes, suffix: str) -> Response:
    """A file of a page, which may load from this service alone.

    Args:
        content: Of the file.
        suffix: Its kind: ``.html``.
    """
    return Response(
        content,
        media_type=f"{_KINDS[suffix]}; charset=utf-8",
        headers={"content-security-policy": _POLICY, "cache-control": "no-cache"},
    )


def _file(name: str) -> Response:
    path = _FOLDER / name
    return page_response(path.read_bytes(), path.suffix)


@router.get("/")
async def page() -> Response:
    """The page; it asks for a key where the service wants one."""
    return _file("index.html")


@router.get("/page.css")
async def style() -> Response:
    """Its style."""
    return _file("page.css")


@router.get("/page.js")
async def script() -> Response:
    """Its script."""
    return _file("page.js")
