"""Every kind of picture decodes to the right pixels; every broken one is refused in one line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from osprey.errors import UnreadableImage
from osprey.imaging import IMAGE_SUFFIXES, decode, read_image

# Under pytest the package's own filter is reset; that users see nothing is tested in a process.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

REAL = Path(os.environ.get("OSPREY_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
AWKWARD = REAL / "awkward_images" / "test_data"


def photo(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture whose four corners differ: red, green, blue, white."""
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reference(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def refusal(data: bytes, **options: object) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(data, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


def with_orientation(image: Image.Image, value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return saved(image, "JPEG", quality=95, subsampling=0, exif=exif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "MPO"])
def test_every_format_gives_contiguous_writable_rgb(kind: str) -> None:
    options = {"quality": 95} if kind in ("JPEG", "MPO") else {}
    data = saved(photo(), kind, **({"lossless": True} if kind == "WEBP" else options))
    image = decode(data)
    assert image.shape == (32, 48, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert difference(image, reference(data)) < 1


@pytest.mark.parametrize("value", range(10))
def test_exif_orientation_is_applied_to_jpeg(value: int) -> None:
    data = with_orientation(photo(), value)
    image = decode(data)
    assert image.shape == ((48, 32, 3) if 5 <= value <= 8 else (32, 48, 3))
    assert difference(image, reference(data)) < 1
    small = decode(data, min_side=8)
    assert small.shape == ((12, 8, 3) if 5 <= value <= 8 else (8, 12, 3))
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    for corner in corners:
        assert np.abs(small[corner].astype(int) - image[corner]).max() < 90


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_exif_orientation_is_applied_to_other_formats(kind: str, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = saved(photo(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    upright = np.rot90(np.asarray(photo()), {1: 0, 3: 2, 6: 3, 8: 1}[value])
    np.testing.assert_array_equal(decode(data), upright)


def test_cmyk_and_ycck_jpeg_look_as_pillow_shows_them() -> None:
    data = saved(photo().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    np.testing.assert_array_equal(decode(data), reference(data))
    assert difference(decode(data), np.asarray(photo())) < 6
    marker = data.index(b"Adobe") + 11
    ycck = data[:marker] + b"\x02" + data[marker + 1 :]
    np.testing.assert_array_equal(decode(ycck), reference(ycck))


def test_scaled_cmyk_keeps_its_short_side() -> None:
    data = saved(photo(480, 320).convert("CMYK"), "JPEG", quality=95)
    small = decode(data, min_side=80)
    assert small.shape == (80, 120, 3)
    expected = np.asarray(Image.fromarray(decode(data)).resize((120, 80), Image.Resampling.BOX))
    assert difference(small, expected) < 3


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    values = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16) + 77
    for kind in ("PNG", "TIFF"):
        image = decode(saved(Image.fromarray(values), kind))
        np.testing.assert_array_equal(image[..., 1], np.arange(256).reshape(16, 16))
        assert (image[..., 0] == image[..., 2]).all()


def test_sixteen_bit_colour_and_pnm() -> None:
    cv2 = pytest.importorskip("cv2")
    values = (np.asarray(photo()).astype(np.uint16) << 8) + 5
    data = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode(data), np.asarray(photo()))
    grey = b"P5 2 1 65535\n" + bytes([10, 200, 250, 3])
    np.testing.assert_array_equal(decode(grey)[0, :, 0], [10, 250])


def test_float_pixels_are_refused_because_their_range_is_unknown() -> None:
    data = saved(Image.fromarray(np.ones((4, 4), dtype=np.float32)), "TIFF")
    assert refusal(data, name="dem.tif") == (
        "dem.tif: has float pixels, whose brightness range is unknown: train with "
        "data.value_range=[LOW,HIGH], or save it as 8 or 16 bit"
    )


@pytest.mark.parametrize("mode", ["1", "L", "P"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_palette_and_one_bit(mode: str, kind: str) -> None:
    data = saved(photo().convert(mode), kind)
    np.testing.assert_array_equal(decode(data), reference(data))


def test_grey_jpeg() -> None:
    data = saved(photo().convert("L"), "JPEG")
    assert difference(decode(data), reference(data)) < 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(mode: str) -> None:
    image = Image.new(mode, (3, 1), (0, 0, 0, 255) if mode == "RGBA" else (0, 255))
    for x, alpha in enumerate((255, 128, 0)):
        image.putpixel((x, 0), (0, 0, 0, alpha) if mode == "RGBA" else (0, alpha))
    np.testing.assert_array_equal(decode(saved(image, "PNG"))[0, :, 0], [0, 127, 255])


def test_transparent_palette_and_first_gif_frame() -> None:
    first = Image.new("P", (4, 4), 1)
    first.putpalette([0, 0, 0, 200, 10, 10])
    first.putpixel((0, 0), 0)
    data = saved(
        first, "GIF", transparency=0, save_all=True, append_images=[Image.new("P", (4, 4))]
    )
    image = decode(data)
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[1, 1].tolist() == [200, 10, 10]
    assert decode(saved(first, "PNG", transparency=0))[0, 0].tolist() == [255, 255, 255]


@given(
    width=st.integers(1, 300), height=st.integers(1, 300), min_side=st.integers(0, 350),
    turned=st.sampled_from([1, 6]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_scaled_decoding_never_goes_below_what_was_asked(
    width: int, height: int, min_side: int, turned: int
) -> None:
    data = with_orientation(photo(width, height), turned)
    full, small = decode(data), decode(data, min_side=min_side)
    assert full.shape[:2] == ((height, width) if turned == 1 else (width, height))
    assert min(small.shape[:2]) >= min(min_side or 10**9, *full.shape[:2])
    if min_side >= min(width, height) or min_side == 0:
        assert small.shape == full.shape
    long, short = max(full.shape[:2]), min(full.shape[:2])
    scale = min(small.shape[:2]) / short
    assert abs(max(small.shape[:2]) - long * scale) <= 1 + long / short


def test_scaled_decoding_shows_the_same_picture() -> None:
    data = saved(photo(640, 480), "JPEG", quality=92)
    small = decode(data, min_side=100)
    assert small.shape == (120, 160, 3)
    expected = np.asarray(Image.fromarray(decode(data)).resize((160, 120), Image.Resampling.BOX))
    assert difference(small, expected) < 1.5


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8))
WHOLE = {
    "baseline": saved(NOISE, "JPEG", quality=70),
    "progressive": saved(NOISE, "JPEG", quality=70, progressive=True),
    "restarts": saved(NOISE, "JPEG", quality=70, restart_marker_blocks=2),
    "cmyk": saved(NOISE.convert("CMYK"), "JPEG", quality=70),
    "exif": with_orientation(NOISE, 6),
    "png": saved(NOISE, "PNG"),
    "webp": saved(NOISE, "WEBP", quality=70),
    "tiff": saved(NOISE, "TIFF"),
    "tiff-lzw": saved(NOISE, "TIFF", compression="tiff_lzw"),
    "gif": saved(NOISE.convert("P"), "GIF"),
    "bmp": saved(NOISE, "BMP"),
}


@given(kind=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1, exclude_max=True))
@example(kind="progressive", share=0.9999)
@example(kind="baseline", share=0.9999)
@settings(max_examples=300, deadline=None)
def test_a_prefix_decodes_completely_or_is_refused(kind: str, share: float) -> None:
    data = WHOLE[kind]
    prefix = data[: int(len(data) * share)]
    try:
        image = decode(prefix)
    except UnreadableImage as error:
        assert "\n" not in str(error)
    else:
        np.testing.assert_array_equal(image, decode(data))


@given(kind=st.sampled_from(sorted(WHOLE)), where=st.floats(0, 1, exclude_max=True),
       put=st.binary(min_size=1, max_size=8))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_damage_never_crashes(kind: str, where: float, put: bytes) -> None:
    data = bytearray(WHOLE[kind])
    start = int(len(data) * where)
    data[start : start + len(put)] = put
    try:
        image = decode(bytes(data), min_side=16)
    except UnreadableImage as error:
        assert "\n" not in str(error)
    else:
        assert image.ndim == 3
        assert image.dtype == np.uint8


HEADS = [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP"]
HEADS += [b"GIF89a", b"II*\0", b"BM"]


@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused(head: bytes, tail: bytes) -> None:
    try:
        image = decode(head + tail)
    except UnreadableImage:
        return
    assert head in (b"GIF89a", b"BM", b"II*\0")  # Formats where chance may spell a tiny picture.
    assert image.dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.jpg: is empty (0 bytes); copy it again from its source"),
        (b"%PDF-1.7 ...", "x.jpg: is not a picture but a PDF"),
        (b"\n <!DOCTYPE html><p>404", "x.jpg: is not a picture but an HTML page"),
        (b"PK\x03\x04" + bytes(40), "x.jpg: is not a picture but a ZIP archive"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "x.jpg: is not a picture but a Git LFS pointer, not the photo itself "
            "(run 'git lfs pull')",
        ),
        (
            bytes(4) + b"ftypisom" + bytes(20),
            "x.jpg: is of a kind Osprey does not read (MP4 video); convert it to JPEG first",
        ),
        (
            b"hello world",
            "x.jpg: is not a picture Osprey can read (JPEG, PNG, WebP, BMP, TIFF, GIF, PNM, AVIF, "
            "JPEG 2000 or HEIC)",
        ),
        (
            WHOLE["baseline"][:-100],
            f"x.jpg: truncated JPEG (ends after {len(WHOLE['baseline']) - 100:,} bytes); "
            "copy it again from its source",
        ),
        (
            WHOLE["png"][:-500],
            f"x.jpg: truncated PNG (ends after {len(WHOLE['png']) - 500:,} bytes); "
            "copy it again from its source",
        ),
        (
            b"\xff\xd8\xff\xe0 no picture",
            "x.jpg: truncated JPEG (ends after 15 bytes); copy it again from its source",
        ),
        (
            b"\x89PNG\r\n\x1a\n" + bytes(40),
            "x.jpg: damaged PNG (its header is incomplete or makes no sense); "
            "copy it again from its source",
        ),
        (
            b"P5 20000 20000 255\n",
            "x.jpg: has more pixels than Osprey decodes; shrink it first",
        ),
    ],
)
def test_messages(data: bytes, message: str) -> None:
    assert refusal(data, name="x.jpg") == message


def test_a_bomb_is_refused_by_its_header() -> None:
    data = bytearray(WHOLE["baseline"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\x4e\x20\x4e\x20"
    assert refusal(bytes(data), name="x.jpg") == (
        "x.jpg: 20000 x 20000 pixels is over the limit of 178 megapixels; shrink it first"
    )


def test_thousands_of_scans_are_refused_at_once() -> None:
    data = WHOLE["progressive"]
    scan = data.index(b"\xff\xda")
    message = refusal(data[:scan] + data[scan : scan + 40] * 600 + data[scan:], name="x.jpg")
    assert message == "x.jpg: JPEG with over 500 scans; save it again"


def test_a_name_with_a_newline_stays_on_one_line() -> None:
    assert refusal(b"", name="a\nb\udcff.jpg").startswith("a?b?.jpg: is empty")


def test_read_image(tmp_path: Path) -> None:
    good = tmp_path / "good.jpg"
    good.write_bytes(WHOLE["baseline"])
    np.testing.assert_array_equal(read_image(good), decode(WHOLE["baseline"]))
    assert read_image(good, min_side=10).shape == (10, 14, 3)
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, message in {
        "gone.jpg": "no such file",
        "pipe.jpg": "is not a regular file",
        ".": "is a folder, not a picture",
    }.items():
        with pytest.raises(UnreadableImage) as caught:
            read_image(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_image(tmp_path / ("n" * 5000))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(WHOLE["baseline"])
    path.chmod(0)
    with pytest.raises(UnreadableImage, match="may not be read; check its permissions"):
        read_image(path)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif"} <= IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in IMAGE_SUFFIXES)


def test_threads_agree() -> None:
    wrong: list[str] = []

    def work() -> None:
        for _ in range(20):
            for kind, expected in results.items():
                if not np.array_equal(decode(WHOLE[kind]), expected):
                    wrong.append(kind)

    results = {kind: decode(data) for kind, data in WHOLE.items()}
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_printed_no_handle_leaks_and_torch_stays_out(tmp_path: Path) -> None:
    for kind, data in WHOLE.items():
        (tmp_path / kind).write_bytes(data[: int(len(data) * 0.6)])
        (tmp_path / f"{kind}-whole").write_bytes(data)
    program = """
import os, sys
from pathlib import Path
from osprey.errors import UnreadableImage
from osprey.imaging import read_image
paths = sorted(Path(sys.argv[1]).iterdir())
def sweep():
    for path in paths:
        try: read_image(path, min_side=8)
        except UnreadableImage: pass
sweep()
before = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0
sweep()
pid = os.fork()
if pid == 0:
    sweep()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
after = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0
assert before == after, (before, after)
assert not {'torch', 'albumentations'} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.real_data
@pytest.mark.skipif(not AWKWARD.is_dir(), reason=f"no real photos at {AWKWARD}")
def test_real_awkward_photos() -> None:
    normal = read_image(AWKWARD / "african_elephants.jpg")
    assert normal.shape == (1536, 2048, 3)
    for kind, tolerance in {"cmyk": 3, "with_exif_orientation": 6}.items():
        other = read_image(AWKWARD / f"african_elephants_{kind}.jpg")
        assert other.shape == normal.shape
        assert difference(other, normal) < tolerance
    grey = read_image(AWKWARD / "african_elephants_bw.jpg")
    assert difference(grey, normal.mean(axis=2, keepdims=True)) < 8
    path = AWKWARD / "african_elephants_truncated_file.jpg"
    for min_side in (0, 224):
        with pytest.raises(UnreadableImage) as caught:
            read_image(path, min_side=min_side)
        assert str(caught.value) == (
            f"{path}: truncated JPEG (ends after 600,000 bytes); copy it again from its source"
        )
    small = read_image(AWKWARD / "african_elephants_with_exif_orientation.jpg", min_side=300)
    assert small.shape == (384, 512, 3)
