"""Whatever is typed is answered: exit code 0 or 2, one line, never a traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from generated_words import command_lines, furnish, nothing_trained, run
from hypothesis import HealthCheck, given, settings


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("words")
    furnish(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with pytest.MonkeyPatch.context() as patch, nothing_trained():
            patch.setenv("OSPREY_CACHE", str(folder / "cache"))
            yield
    finally:
        os.chdir(before)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(words=command_lines())
def test_any_words(words: list[str], place: None) -> None:
    said = run(words)
    assert not said.wrong, f"{said.wrong}: {words}\n{said.err}"
