"""Reports looked at by a browser, where there is one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

_RUN = """
const look = (page) => { LOOK };
addEventListener("load", () => setTimeout(() => {
  const frames = [...document.querySelectorAll("iframe")];
  const found = frames.map((frame) => look(frame.contentDocument));
  const said = document.createElement("pre");
  said.textContent = JSON.stringify(found);
  document.body.replaceChildren(said);
}, 300));  // by then the observers of the pages have spoken
"""


def browse(pages: Sequence[str], width: int, script: str) -> list[Any]:
    """What a function of each page's document returns.

    Each page is in a frame, since a browser's own window cannot be as narrow as a phone. Without a
    browser the test is skipped, and says so.

    Args:
        pages: HTML of the pages.
        width: Of the frames, in pixels.
        script: Body of the function in JavaScript, of the document ``page``.
    """
    if BROWSER is None:
        pytest.skip("NOT CHECKED: how reports look, for want of a chromium")
    frames = "".join(
        f'<iframe width="{width}" height="9000" srcdoc="{html.escape(text)}"></iframe>'
        for text in pages
    )
    text = f"<body>{frames}<script>{_RUN.replace('LOOK', script)}</script>"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        file = Path(place, "frames.html")
        file.write_text(text, encoding="utf-8")
        words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"]
        words += [f"--user-data-dir={place}/profile", "--virtual-time-budget=5000", "--dump-dom"]
        done = subprocess.run([*words, file.as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    result: list[Any] = json.loads(html.unescape(found[1]))
    return result
