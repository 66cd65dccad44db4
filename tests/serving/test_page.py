"""The page at ``/`` in a real browser, at the width of a desk and of a phone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from browser import BROWSER
from serving_help import Running, photo, running, write_bundle

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip("NOT CHECKED: the service's page, for want of a chromium")
    with playwright.sync_playwright() as tool:
        opened = tool.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page()
    yield opened
    opened.context.close()  # one page at a time has the keyboard


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    write_bundle(folder / "registry" / "colour" / "1")
    with running(folder, "--model", "colour") as found:
        yield found


def files(folder: Path) -> list[Path]:
    """Two photos and something else; one photo's name would be code, were it taken for HTML."""
    names = {"red <b>one<b>.png": photo("red", "PNG"), "blue.jpg": photo("blue", "JPEG")}
    names["notes.jpg"] = b"not a photo"
    for name, content in names.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in names]


@pytest.mark.parametrize("width", [390, 1280])
def test_photos_are_named_and_become_a_table(
    width: int, service: Running, page: Any, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(str(service.client.base_url))
    page.set_input_files("#files", [str(file) for file in files(tmp_path)])
    page.get_by_text("notes.jpg: is not a picture").wait_for()
    assert page.locator(".first").all_inner_texts() == ["blue", "red"]
    assert page.locator("figcaption").all_inner_texts() == ["blue.jpg", "red <b>one<b>.png"]
    scores = [page.locator("article").first.locator(".score").nth(i).inner_text() for i in (0, 1)]
    first, second = (float(score.removesuffix(" %")) for score in scores)
    assert first > second
    page.locator("summary").first.click()
    line = page.locator(".curl").first.inner_text()
    assert line.startswith("curl -X POST http://127.0.0.1:")
    assert line.endswith("/classify --data-binary '@blue.jpg'")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [(row["file"], row["label"]) for row in rows] == [
        ("red <b>one<b>.png", "red"), ("blue.jpg", "blue"),
    ]  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    own = (str(service.client.base_url), "blob:", "data:")
    assert not failures and all(url.startswith(own) for url in asked)
    page.get_by_role("button", name="Clear").click()
    assert not page.locator("article").count()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_documentation_loads_nothing_from_elsewhere(
    width: int, service: Running, page: Any
) -> None:
    """Every path and every field of the OpenAPI document stands on it."""
    page.set_viewport_size({"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    failures: list[str] = []
    page.on("console", lambda message: failures.append(message.text))
    base = str(service.client.base_url)
    page.goto(f"{base}/docs")
    assert page.title() == "Osprey: what may be asked"
    titles = page.locator("h3 code").all_inner_texts()
    paths = service.client.get("/openapi.json").json()["paths"]
    assert titles == [f"{how.upper()} {path}" for path, hows in paths.items() for how in hows]
    assert "POST /tasks/{api_key}" in titles and "POST /classify" in titles
    page.locator("summary", has_text="application/json").first.click()
    assert "where the photo lies" in page.locator("pre").nth(2).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked and all(url.startswith((base, "data:")) for url in asked) and not failures
    page.get_by_role("link", name="Try it").click()
    page.get_by_role("heading", name="What is on a photo?").wait_for()


def test_the_keyboard_alone(service: Running, page: Any) -> None:
    page.goto(str(service.client.base_url))
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.id === 'files'")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    assert chooser.value.is_multiple()


def test_a_key_is_asked_for(page: Any, tmp_path: Path) -> None:
    write_bundle(tmp_path / "registry" / "colour" / "1")
    (tmp_path / "keys.txt").write_text("open-sesame\n")
    with running(tmp_path, "--model", "colour", "--api-key-file", "keys.txt") as service:
        page.goto(str(service.client.base_url))
        page.get_by_label("API key").wait_for()
        page.set_input_files("#files", str(files(tmp_path)[0]))
        page.get_by_label("API key").fill("open-sesame")
        page.get_by_role("button", name="Ask again").click()
        page.locator(".first").wait_for()
        assert page.locator(".first").inner_text() == "red"
