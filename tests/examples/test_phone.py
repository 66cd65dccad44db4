"""``examples/phone`` in a browser: the answers of ``classify``, also without a network."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser import BROWSER
from conftest import REPOSITORY, Result, only_run
from PIL import Image

PHONE = REPOSITORY / "examples" / "phone"
PACKAGE = PHONE / "node_modules" / "onnxruntime-web"
MODES = ("squash", "crop", "letterbox")

# Drives the pages as a user does, in frames as wide as a phone, and posts what they show.
DRIVE = """<!doctype html><script type="module">
const report = (said) => fetch("/said", { method: "POST", body: JSON.stringify(said) });
const until = async (test, waiting) => {
  for (const end = performance.now() + 60_000; !test(); ) {
    if (performance.now() > end) throw new Error(`waited for ${waiting()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
};
const open = async (page) => {
  const frame = document.createElement("iframe");
  frame.width = 390;
  frame.height = 844;
  frame.src = `/${page}/`;
  document.body.replaceChildren(frame);
  await new Promise((done) => (frame.onload = done));
  const at = (id) => frame.contentDocument.getElementById(id);
  const status = () => at("status").textContent;
  const isReady = () => status().startsWith("Ready, also") || at("status").className;
  await until(isReady, () => `${page}: ${status()}`);
  return { frame, at, status };
};
const ask = async ({ frame, at, status }, file) => {
  const chosen = new frame.contentWindow.DataTransfer();
  chosen.items.add(file);
  at("file").files = chosen.files;
  at("file").dispatchEvent(new frame.contentWindow.Event("change"));
  await until(() => status().startsWith(`${file.name}:`), () => `${file.name}: ${status()}`);
  const rows = [...at("answer").children].map((row) => [
    row.querySelector(".name").textContent,
    row.querySelector(".score")?.textContent,
    row.querySelector(".bar span")?.style.width,
  ]);
  const failed = at("status").className;
  return { status: status(), failed, rows: at("result").hidden ? [] : rows };
};
const looks = ({ frame, at }) => {
  const { activeElement, documentElement } = (at("file").focus(), frame.contentDocument);
  const ring = frame.contentWindow.getComputedStyle(at("file").parentElement);
  const entries = frame.contentWindow.performance.getEntriesByType("resource");
  return {
    model: at("model").textContent,
    focused: activeElement.id,
    ring: ring.outlineStyle,
    width: documentElement.scrollWidth,
    origins: [...new Set(entries.map((entry) => new URL(entry.name).origin))],
  };
};
const drive = async () => {
  const { pages, photos } = await (await fetch("/plan.json")).json();
  const files = [];
  for (const name of photos) {
    files.push(new File([await (await fetch(`/photos/${name}`)).blob()], name));
  }
  const said = {};
  for (const page of pages) {
    const shown = await open(page);
    said[page] = { status: shown.status(), answers: {} };
    if (shown.at("status").className) continue;
    for (const file of files) said[page].answers[file.name] = await ask(shown, file);
    said[page].looks = looks(shown);
  }
  await fetch("/offline", { method: "POST" });
  const again = await open(pages[0]);
  said.offline = { status: again.status(), answer: await ask(again, files[0]) };
  return said;
};
drive().catch((error) => ({ error: error.stack })).then(report);
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder until it is told to go offline; takes what the driver says."""

    server: Server

    def do_GET(self) -> None:
        if self.server.offline:
            self.close_connection = True  # no answer at all
            return
        super().do_GET()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/offline":
            self.server.offline = True
        else:
            self.server.said.put(json.loads(content))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        self.offline = False
        self.said: queue.Queue[Any] = queue.Queue()
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def driven(site: Path, pages: list[str], photos: list[str], profile: Path) -> Any:
    """What the pages of a folder showed about its photos."""
    assert BROWSER is not None
    (site / "plan.json").write_text(json.dumps({"pages": pages, "photos": photos}))
    (site / "drive.html").write_text(DRIVE)
    with serving(site) as server:
        words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu"]
        words += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
        words += [f"http://127.0.0.1:{server.server_port}/drive.html"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as shown:
            try:
                said = server.said.get(timeout=150)
            finally:
                shown.terminate()
    assert "error" not in said, said
    return said


def awkward(folder: Path) -> None:
    """JPEGs that are decoded smaller, one lying on its side, a picture with holes, and none."""
    draw = np.random.default_rng(0)
    for name, colour, height, width in (
        ("turned.jpg", (210, 50, 40), 1200, 900),
        ("wide.jpg", (40, 190, 60), 80, 640),
        ("three_eighths.jpg", (40, 60, 200), 140, 100),
        ("half.jpg", (210, 50, 40), 90, 76),
    ):
        coarse = np.array(colour) + draw.integers(-40, 40, (8, 8, 3))
        pixels = cv2.resize(np.clip(coarse, 0, 255).astype(np.uint8), (width, height))
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "turned.jpg" else 1
        Image.fromarray(pixels).save(folder / name, exif=exif, quality=90)
    holes = draw.integers(0, 255, (20, 24, 4), dtype=np.uint8)
    holes[..., :3] = holes[..., :3] // 4 + np.array((20, 40, 150), dtype=np.uint8)
    Image.fromarray(holes).save(folder / "holes.png")
    (folder / "notes.jpg").write_text("no picture")


@pytest.fixture
def site(bundles: Path, photos: Path) -> Path:
    """A folder to serve: the page with a bundle of each preprocessing, and photos."""
    if BROWSER is None:
        pytest.skip("NOT CHECKED: examples/phone, for want of a chromium")
    if not PACKAGE.is_dir():
        pytest.skip("NOT CHECKED: examples/phone, for want of 'npm install' in it")
    site = bundles / "site"
    (site / "photos").mkdir(parents=True)
    for photo in sorted(photos.glob("*/*.png")):
        shutil.copy(photo, site / "photos")
    awkward(site / "photos")
    for mode in (*MODES, "unknown", "mixed"):
        page = site / mode
        page.mkdir()
        for file in (*PHONE.glob("*.html"), *PHONE.glob("*.js"), *PHONE.glob("*.css")):
            shutil.copy(file, page)
        (page / "node_modules").symlink_to(PHONE / "node_modules")
        shutil.copytree(only_run(bundles) / "bundle", page / "bundle")
    for mode in MODES:
        changed(site / mode, resize=mode)
    return site


def changed(page: Path, resize: str = "squash", **values: object) -> None:
    """Another card for a page's bundle."""
    file = page / "bundle" / "card.json"
    card = json.loads(file.read_text())
    card["preprocess"]["resize"] = resize
    file.write_text(json.dumps({**card, **values}))


def test_it_answers_as_classify_does(
    site: Path, osprey: Callable[..., Result], tmp_path: Path
) -> None:
    changed(site / "unknown", unknown_below=1)
    changed(site / "mixed", sha256="0" * 64)
    photos = sorted(path.name for path in (site / "photos").iterdir())
    said = driven(site, [*MODES, "unknown", "mixed"], photos, tmp_path / "profile")

    for mode in MODES:
        words = ("--model", site / mode / "bundle", "--folder", site / "photos")
        assert osprey("classify", *words, "--output", f"{mode}.jsonl").code == 0
        records = list(map(json.loads, Path(f"{mode}.jsonl").read_text().splitlines()))
        answers = said[mode]["answers"]
        assert len(records) == len(answers) == 42
        for record in records:
            answer = answers[Path(record["file"]).name]
            if "failure" in record:
                assert answer["failed"] == "failed" and answer["rows"] == []
                assert "this browser cannot read it; try a JPEG or PNG" in answer["status"]
                continue
            shown = {name: float(score.rstrip("%")) / 100 for name, score, _ in answer["rows"]}
            assert answer["rows"][0][0] == record["label"], (mode, record)
            assert shown == pytest.approx(dict(record["top"]), abs=0.02), (mode, record)
            widths = [float(width.rstrip("%")) for _, _, width in answer["rows"]]
            assert widths == sorted(widths, reverse=True)
            assert " ms" in answer["status"] and not answer["failed"]

    looks = said["squash"]["looks"]
    assert looks["model"].startswith("folder-simple_cnn: simple_cnn, 3 classes, ")
    assert (looks["focused"], looks["ring"]) == ("file", "solid")
    assert looks["width"] <= 390 and len(looks["origins"]) == 1
    first = said["unknown"]["answers"][photos[0]]["rows"]
    assert first[0] == ["unknown", None, None] and len(first) == 4
    assert "card.json was not written for this model.onnx" in said["mixed"]["status"]
    assert said["offline"]["status"] == "Ready, also without a network"
    assert said["offline"]["answer"]["rows"] == said["squash"]["answers"][photos[0]]["rows"]


def test_it_asks_for_nothing_from_elsewhere() -> None:
    for file in (*PHONE.glob("*.html"), *PHONE.glob("*.js"), *PHONE.glob("*.css")):
        assert "://" not in file.read_text(), file
    assert "default-src 'self'" in (PHONE / "index.html").read_text()


def test_the_npm_package_is_pinned() -> None:
    (version,) = json.loads((PHONE / "package.json").read_text())["dependencies"].values()
    assert version.replace(".", "").isdecimal()
    assert f"onnxruntime-web {version}" in (PHONE / "README.md").read_text()
    if PACKAGE.is_dir():
        assert json.loads((PACKAGE / "package.json").read_text())["version"] == version
