"""Photos that are none, or are meant to hurt: an answer or a refusal each, and memory stays."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from PIL import Image, features
from serving_help import COLOURS, Running, photo, running, write_bundle

LARGEST = 600_000_000  # bytes of memory that the service may hold; 150 MB when it starts


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hurt")
    write_bundle(folder / "bundle")
    with running(folder, "--model", "bundle", "--max-megapixels", "20") as found:
        yield found
        assert 'status="500"' not in found.client.get("/metrics").text
        assert peak(found) < LARGEST


def peak(service: Running) -> int:
    """Most memory that the process ever held."""
    status = Path(f"/proc/{service.process.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def saved(image: Image.Image, form: str, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **more)
    return file.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, COLOURS["red"]).convert(mode)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gif(width: int, height: int) -> bytes:
    content = bytearray(saved(red("P", (4, 4)), "GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def tiff(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
            (278, height), (279, 16)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + b"\0" * 20


SOUND = {
    "one row": saved(red(size=(500, 1)), "PNG"),
    "one column": saved(red(size=(1, 500)), "JPEG"),
    "one pixel": saved(red(size=(1, 1)), "PNG"),
    "CMYK": saved(red("CMYK"), "JPEG"),
    "palette": saved(red("P"), "GIF"),
    "transparent": saved(red("RGBA"), "PNG"),
    "turned": saved(red(), "JPEG", exif=exif_of(6)),
    "turned by nobody's number": saved(red(), "JPEG", exif=exif_of(99)),
    "animated GIF": saved(red(), "GIF", save_all=True, append_images=[red()]),
    "animated WebP": saved(red(), "WEBP", save_all=True, append_images=[red()]),
    "animated PNG": saved(red(), "PNG", save_all=True, append_images=[red()]),
    "TIFF of two pages": saved(red(), "TIFF", save_all=True, append_images=[red()]),
    "photo, then a ZIP archive": photo() + b"PK\x03\x04" + b"\0" * 100,
    "photo, then HTML": photo() + b"<script>alert(1)</script>",
    "photo with a script in its comment": saved(red(), "JPEG", comment=b"<?php system(1) ?>"),
}
NEWER = [
    name for name, part in (("AVIF", "avif"), ("JPEG2000", "jpg_2000")) if features.check(part)
]
SOUND |= {name: saved(red(), name) for name in NEWER}
HEIC = (Path(__file__).parents[1] / "imaging" / "files" / "photo.heic").read_bytes()


@pytest.mark.parametrize("name", SOUND)
def test_unusual_photos_are_answered(service: Running, name: str) -> None:
    answer = service.client.post("/classify", content=SOUND[name])
    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "red"


def test_sixteen_bits(service: Running) -> None:
    deep = np.full((30, 40), 0xC000, np.uint16)
    answer = service.client.post("/classify", content=saved(Image.fromarray(deep), "PNG"))
    assert answer.status_code == 200
    scores = [score for _, score in answer.json()["top"]]
    assert max(scores) - min(scores) < 1e-3  # grey


LIMIT = "pixels is over the limit of 20 megapixels; shrink it first"
BEYOND = "has more pixels than Osprey decodes; shrink it first"
BOMBS = {
    "PNG": (png(5000, 5000), f"5000 x 5000 {LIMIT}"),
    "PNG, packed": (png(5000, 5000, b"\0" * 75_005_000), f"5000 x 5000 {LIMIT}"),
    "PNG of the most": (png(2**31 - 1, 2**31 - 1), BEYOND),
    "GIF": (gif(5000, 5000), f"5000 x 5000 {LIMIT}"),
    "GIF of the most": (gif(65535, 65535), BEYOND),
    "TIFF": (tiff(5000, 5000), f"5000 x 5000 {LIMIT}"),
    "TIFF of the most": (tiff(2**32 - 1, 2**32 - 1), BEYOND),
}


def enlarged(content: bytes) -> bytes:
    """With 5,000 x 5,000 pixels in its header alone."""
    for sides in ((40, 30), (30, 40), (64, 64)):
        content = content.replace(struct.pack(">II", *sides), struct.pack(">II", 5000, 5000))
    return content


BOMBS |= {name: (enlarged(SOUND[name]), f"5000 x 5000 {LIMIT}") for name in NEWER}


def test_heic_is_answered_or_refused_with_its_extra(service: Running) -> None:
    answer = service.client.post("/classify", content=HEIC)
    bomb = service.client.post("/classify", content=enlarged(HEIC))
    try:
        import pi_heif  # noqa: F401
    except ImportError:
        assert answer.status_code == bomb.status_code == 422
        assert "pip install 'osprey-vision[heic]'" in answer.json()["error"]
    else:
        assert answer.status_code == 200 and len(answer.json()["top"]) == 3
        assert bomb.status_code == 413
        assert bomb.json() == {"error": f"photo: 5000 x 5000 {LIMIT}"}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_from_the_header(service: Running, name: str) -> None:
    content, message = BOMBS[name]
    answer = service.client.post("/classify", content=content)
    assert answer.status_code == (413 if LIMIT in message else 422), answer.text
    assert answer.json() == {"error": f"photo: {message}"}
    assert peak(service) < LARGEST


def test_a_bomb_fails_alone(service: Running) -> None:
    files = [("images", ("a.jpg", photo())), ("images", ("bomb.png", BOMBS["PNG"][0]))]
    found = service.client.post("/classify/batch", files=files).json()["answers"]
    assert found[0]["label"] == "red"
    assert found[1] == {"file": "bomb.png", "failure": f"bomb.png: 5000 x 5000 {LIMIT}"}


def header_only(width: int, height: int) -> bytes:
    """A JPEG whose header says another size than its data."""
    content = bytearray(photo())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


NONE = {
    "PNG without pixels": png(0, 0),
    "TIFF without pixels": tiff(0, 0),
    "JPEG without pixels": header_only(0, 0),
    "PNG that unpacks to nothing": png(40, 30),
    "text bomb in a PNG": png(4, 4).replace(
        b"IEND", b""
    ) + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 90_000_000, 9)),
    "HEIC": b"\0\0\0\x18ftypheic" + b"\0" * 50,
    "video": b"\0\0\0\x18ftypisom" + b"\0" * 50,
    "SVG that reads a file": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/>'
    b"\n\x07</svg>",
    "HTML": b"<!doctype html>\n<p>\x07",
    "script for Ghostscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/x) file\n\x07",
    "ZIP": b"PK\x03\x04" + b"\0" * 100,
    "first half of a GIF that is HTML": b"GIF89a/*<script>*/=1;",
    "zeros": b"\0" * 1000,
    "ones": b"\xff" * 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_photo_is_refused(service: Running, name: str) -> None:
    answer = service.client.post("/classify", content=NONE[name])
    assert answer.status_code in (400, 413, 422), answer.text
    assert set(answer.json()) == {"error"} and answer.json()["error"].isprintable()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", *NEWER])
def test_every_cut(service: Running, form: str) -> None:
    whole = photo(form=form)
    for end in {*range(1, 24), *range(24, len(whole), max(1, len(whole) // 24))}:
        answer = service.client.post("/classify", content=whole[:end])
        assert answer.status_code in (200, 400, 422), (end, answer.text)


def mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    """A photo with some bytes changed, cut out, doubled, or of another's."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        place = draw.randrange(len(content)) if content else 0
        length = draw.choice([1, 1, 2, 4, 30])
        match draw.randrange(6):
            case 0:
                content[place : place + length] = draw.randbytes(length)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length]
            case 3:
                content[place : place + 4] = draw.choice(
                    [b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"]
                )
            case 4:
                content[min(place, 40) : min(place, 40) + 1] = bytes([draw.randrange(256)])
            case _:
                other = draw.choice(seeds)
                start = draw.randrange(len(other))
                content[place : place + length] = other[start : start + length]
    return bytes(content)


def fuzz(service: Running, count: int, seed: int) -> None:
    draw = random.Random(seed)
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    seeds = [saved(image, form) for form in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")]
    seeds += [saved(image, "JPEG", progressive=True, exif=exif_of(5)), SOUND["CMYK"],
              SOUND["animated GIF"], SOUND["animated WebP"], saved(image, "TIFF",
              compression="tiff_lzw"), saved(image.convert("P"), "PNG")]  # fmt: skip
    statuses = set()
    for number in range(count):
        content = mutated(draw, seeds)
        answer = service.client.post("/classify", content=content)
        assert answer.status_code in (200, 400, 413, 422), (number, answer.text)
        assert answer.json()
        statuses.add(answer.status_code)
    assert {200, 422} <= statuses  # the changes are neither too small nor too large


def test_some_mutated_files(service: Running) -> None:
    fuzz(service, 300, seed=1)


@pytest.mark.slow
def test_ten_thousand_mutated_files(service: Running) -> None:
    fuzz(service, 10_000, seed=2)
    assert service.client.post("/classify", content=photo()).json()["label"] == "red"
