"""What the service refuses, word for word: always one line of JSON, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from serving_help import Running, photo, running, write_bundle

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}
SEND = '{"image": "BASE64"} or {"url": "https://..."}'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("refusing")
    write_bundle(folder / "registry" / "colour" / "1")
    words = ["--model", "colour", "--max-mb", "1", "--max-megapixels", "2", "--queue", "8"]
    with running(folder, *words) as found:
        yield found


def refused(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json", answer.text
    content = answer.json()
    assert set(content) == {"error"} and content["error"].isprintable()
    return answer.status_code, content["error"]


NOT_A_PHOTO = "not a photo: write @ before the file's name (--data-binary @{0})"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the body is empty: send the photo's bytes (--data-binary @PHOTO)"),
        (b" \n", 400, "the body is empty: send the photo's bytes (--data-binary @PHOTO)"),
        (b"fish.jpg", 400, f"the body is the text 'fish.jpg', {NOT_A_PHOTO.format('fish.jpg')}"),
        (
            b"/data/my fish\n",
            400,
            f"the body is the text '/data/my fish', {NOT_A_PHOTO.format('/data/my fish')}",
        ),
        (
            b"https://x.org/a.jpg",
            400,
            'the body is an address: send it as JSON, {"url": "..."}, content type '
            "application/json",
        ),
        (
            b'{"image": "aGk="}',
            400,
            "the body is JSON: add -H 'content-type: application/json'",
        ),
        (
            b"hello",
            422,
            "photo: is not a picture Osprey can read (JPEG, PNG, WebP, BMP, TIFF, GIF, PNM, "
            "AVIF, JPEG 2000 or HEIC)",
        ),
        (b"%PDF-1.7 \xff", 422, "photo: is not a picture but a PDF"),
        (
            photo()[:200],
            422,
            "photo: truncated JPEG (ends after 200 bytes); copy it again from its source",
        ),
        (
            photo(form="PNG", size=(1500, 1400)),
            413,
            "photo: 1500 x 1400 pixels is over the limit of 2 megapixels; shrink it first",
        ),
        (b"\xff" * 1_000_001, 413, "the body is larger than 1 MB; shrink the photo first"),
    ],
)
def test_raw_bodies(service: Running, body: bytes, status: int, message: str) -> None:
    assert refused(service.client.post("/classify", content=body)) == (status, message)


NO_JSON = f"the body is no JSON: send {SEND}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", NO_JSON),
        ("{", NO_JSON),
        ("\udcff", NO_JSON),
        ('"/tmp/fish.jpg"', f"photo: send {SEND}"),
        ("{}", f"photo: send {SEND}"),
        ('{"image": 1}', f"photo: send {SEND}"),
        ('{"image": "aGk=", "url": "http://x/"}', f"photo: send {SEND}"),
        (
            '{"image": "aGk=", "colour": 1}',
            f"photo: there is no field 'colour': send {SEND}",
        ),
        ('{"image": "/tmp/a.jpg"}', "photo: its image is not base64 (base64 -w0 PHOTO)"),
        ('{"image": "aGk=", "model": 3}', "the field 'model' must be a text"),
        ('[{"image": "aGk="}]', "the body is a list: POST it to /classify/batch"),
        ("[" * 5001, "the body's JSON has more than 5000 parts"),
        ("[" * 4000, NO_JSON),
        ('{"image": "aGk="}', "photo: is not a picture Osprey can read (JPEG, PNG, WebP, BMP, "
         "TIFF, GIF, PNM, AVIF, JPEG 2000 or HEIC)"),
    ],
)  # fmt: skip
def test_json(service: Running, body: str, message: str) -> None:
    content = body.encode("utf-8", "surrogateescape")
    status, said = refused(service.client.post("/classify", content=content, headers=JSON))
    assert said == message and status == (422 if "is not a picture" in message else 400)


def test_addresses_are_off_unless_allowed(service: Running) -> None:
    answer = service.client.post("/classify", json={"url": "http://127.0.0.1/a.jpg"})
    assert refused(answer) == (
        403, "photos are not fetched: 'osprey serve --allow-url HOST' allows a host",
    )  # fmt: skip


def part(name: str, content: str, filename: str | None = None) -> str:
    file = f'; filename="{filename}"' if filename is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{content}\r\n'


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "the form holds no file: send one (-F image=@PHOTO)"),
        ("--b--\r\n", 400, "the form holds no file: send one (-F image=@PHOTO)"),
        ("nonsense", 400, "the form is damaged (Invalid multipart data)"),
        (
            part("image", "fish.jpg") + "--b--\r\n",
            400,
            "the form's field 'image' is the text 'fish.jpg', not a photo: write @ before the "
            "file's name (-F image=@fish.jpg)",
        ),
        (
            part("a", "x", "a.jpg") + part("b", "x", "b.jpg") + "--b--\r\n",
            400,
            "the form holds several files: POST them to /classify/batch",
        ),
        (
            part("a", "", "../../etc/passwd") + "--b--\r\n",
            422,
            "../../etc/passwd: is empty (0 bytes); copy it again from its source",
        ),
        (
            part("a", "x" * 5000) + "--b--\r\n",
            400,
            "the form is damaged (Part exceeded maximum size of 4KB)",
        ),
        (
            "".join(part("a", "x", "a.jpg") for _ in range(9)) + "--b--\r\n",
            400,
            "the form is damaged (Too many files. Maximum number of files is 8)",
        ),
        ("\r\n".join(["--b", "X: y", "", "z", "--b--", ""]), 400,
         'the form is damaged (The Content-Disposition header field "name" must be provided)'),
    ],
)  # fmt: skip
def test_forms(service: Running, body: str, status: int, message: str) -> None:
    answer = service.client.post("/classify", content=body.encode(), headers=FORM)
    assert refused(answer) == (status, message)


def test_forms_without_a_boundary(service: Running) -> None:
    headers = {"content-type": "multipart/form-data"}
    answer = service.client.post("/classify", content=b"x", headers=headers)
    assert refused(answer) == (400, "the form is damaged (Missing boundary in multipart)")


def test_batches(service: Running) -> None:
    post = service.client.post
    several = f"several photos come as multipart/form-data, or as a JSON list of {SEND}"
    assert refused(post("/classify/batch", content=photo())) == (415, several)
    for empty in ("[]", "{}", '"x"'):
        answer = post("/classify/batch", content=empty, headers=JSON)
        assert refused(answer) == (400, f"the body must be a JSON list of {SEND}")
    answer = post("/classify/batch", json=[{"image": "aGk="}] * 9)
    assert refused(answer) == (413, "9 photos are more than the 8 that are taken at once")


def test_models(service: Running) -> None:
    post = service.client.post
    assert refused(post("/classify?model=color", content=photo())) == (
        404, "there is no model 'color'; did you mean 'colour'?",
    )  # fmt: skip
    assert refused(post("/classify?model=../x", content=photo())) == (
        404, "there is no model '../x' (there are colour)",
    )  # fmt: skip
    data = {"model": "other"}
    answer = post("/classify?model=colour", files={"image": photo()}, data=data)
    assert refused(answer) == (400, "the address names model 'colour', the body 'other'")


def test_a_model_that_answers_elsewhere(service: Running) -> None:
    elsewhere = (
        "model 'colour' names what is on a photo, without boxes: POST to /classify, not /detect"
    )
    for path in ("/detect", "/detect?model=colour"):
        assert refused(service.client.post(path, content=photo())) == (404, elsewhere)


def test_paths_and_methods(service: Running) -> None:
    client = service.client
    assert refused(client.get("/clasify")) == (
        404, "there is nothing at '/clasify'; did you mean '/classify'?",
    )  # fmt: skip
    assert refused(client.get("/x%00")) == (
        404, "there is nothing at '/x?'; /docs tells all there is",
    )  # fmt: skip
    assert refused(client.get("/classify")) == (405, "/classify takes POST, not GET")
    assert refused(client.get("/..%2f..%2fetc/passwd"))[0] == 404
    assert refused(client.post("/models"))[0] == 405


def test_what_was_refused_is_all_that_was_lost(service: Running) -> None:
    assert service.client.post("/classify", content=photo()).json()["label"] == "red"
    lines = service.client.get("/metrics").text
    assert 'status="500"' not in lines
    assert "osprey_queue_photos 0.0" in lines


def test_a_record_is_plain_json(service: Running) -> None:
    name = 'q"uo\u2028te\n.jpg'
    answer = service.client.post("/classify", files={"image": (name, photo())})
    assert json.loads(answer.text)["file"].isprintable()
