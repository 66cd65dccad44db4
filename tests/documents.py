"""README.md and docs/*.md as the tests read them: what they tell people to type and to write."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from conftest import REPOSITORY

README, EXTEND = REPOSITORY / "README.md", REPOSITORY / "docs" / "extend.md"
DOCUMENTS = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
_MARK = re.compile(r"`((?:mine|my_pkg)/[\w/]+\.(?:py|yaml))`.*:$")


def lines_of(document: Path) -> list[str]:
    """The document's lines."""
    return document.read_text(encoding="utf-8").splitlines()


def section(document: Path, title: str) -> list[str]:
    """The lines below the heading ``## title``, to the next of its kind."""
    lines = lines_of(document)
    start = lines.index(f"## {title}") + 1
    after = (n for n in range(start, len(lines)) if lines[n].startswith("## "))
    return lines[start : next(after, len(lines))]


def commands(lines: list[str]) -> list[str]:
    """What stands indented in the text as a command to type, without its comment."""
    typed = (line.strip() for line in lines if line.startswith("    "))
    command = re.compile(r"(python scripts/\w+\.py|osprey [a-z-]+)( |$)")
    return [line for line in typed if command.match(line)]


def words_of(command: str) -> list[str]:
    """The words behind ``osprey``: ``train``, ``data=folder`` and so on."""
    plain = re.sub(r"^python scripts/(\w+)\.py", r"osprey \1", command)
    return [word for word in shlex.split(plain, comments=True)[1:] if word != "..."]


def files(document: Path) -> dict[str, str]:
    """Names and contents of the files that the document tells people to write."""
    lines = lines_of(document)
    found = (re.search(_MARK, line) for line in lines)
    return {mark[1]: _block(lines, n + 1) for n, mark in enumerate(found) if mark}


def _block(lines: list[str], start: int) -> str:
    while not lines[start].strip():
        start += 1
    if lines[start].startswith("```"):
        end = lines.index("```", start)
        return "\n".join(lines[start + 1 : end]) + "\n"
    block = []
    for line in lines[start:]:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block).rstrip() + "\n"


def write_files(document: Path, folder: Path) -> None:
    """Write those files into ``folder``."""
    for name, content in files(document).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
