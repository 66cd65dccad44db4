"""``/docs``: the OpenAPI document as a page. No script, and nothing on it comes from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

from osprey.serving.routers.page import page_response

router = APIRouter(include_in_schema=False)

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}: what may be asked</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<header>
<h1>{title} {version}</h1>
<nav><a href="./">Try it</a> <a href="openapi.json">OpenAPI as JSON</a></nav>
</header>
<main class="docs">
<p>{description} Where the service wants an API key, send it as <code>X-API-Key: KEY</code> or
<code>Authorization: Bearer KEY</code>.</p>
"""


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every path and field, for people."""
    return page_response(documentation(request.app.openapi()), ".html")


def documentation(openapi: Mapping[str, Any]) -> bytes:
    """The page of an OpenAPI document."""
    about = openapi["info"]
    words = {key: escape(about[key]) for key in ("title", "version")}
    words["description"] = _prose(about["description"])
    parts = [_HEAD.format(**words)]
    tag = None
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if tag != (tag := next(iter(operation.get("tags", [])), "")):
                parts.append(f"<h2>{escape(tag)}</h2>\n")
            parts += _operation(path, method, operation)
    return "".join([*parts, "</main>\n</html>\n"]).encode()


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """A path with one method: what it is for, takes and answers."""
    name = f"{method.upper()} {path}"
    yield f"<section><h3><code>{escape(name)}</code> {escape(operation.get('summary', ''))}</h3>\n"
    yield f"<p>{_prose(operation.get('description', ''))}</p>\n"
    rows = [
        (f"{given['name']} ({given['in']})", given.get("description", ""))
        for given in operation.get("parameters", [])
    ]
    yield _table("Parameters", rows)
    content = operation.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        yield f"<details><summary>Body as {escape(kind)}</summary>"
        yield f"<pre>{escape(json.dumps(body['schema'], indent=1))}</pre></details>\n"
    answers = operation.get("responses", {})
    rows = [(status, answer.get("description", "")) for status, answer in answers.items()]
    yield f"<details><summary>Answers</summary>{_table('', rows)}</details></section>\n"


def _table(caption: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"<tr><th>{escape(name)}</th><td>{_prose(what)}</td></tr>" for name, what in rows]
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}{''.join(lines)}</table>\n" if lines else ""


def _prose(text: str) -> str:
    """Text in which ``` `` ``` and `` ` `` mark code."""
    pieces = escape(text).replace("``", "`").split("`")
    return "".join(f"<code>{x}</code>" if place % 2 else x for place, x in enumerate(pieces))
