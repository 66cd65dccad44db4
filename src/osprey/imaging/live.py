"""Cameras and the addresses of streams: how they are opened, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from osprey.errors import UnreadableImage
from osprey.imaging.decode_errors import one_line
from osprey.imaging.video import Video, library, open_camera, reason_of

_SCHEMES = ("rtsp", "rtsps", "http", "https", "tcp")
# What an address may lead FFmpeg to: streams, and no file of this machine.
_PROTOCOLS = "rtsp,rtsps,rtp,srtp,tcp,udp,tls,http,https,httpproxy,crypto"
_SECRET = re.compile(r"(?:user|login|pass|pwd)\w*=[^/]*", re.IGNORECASE)  # some recorders' paths
_SECONDS = 10.0  # in which an address must answer, and its next frame must come


def is_address(word: str) -> bool:
    """Whether a word is the address of a stream, such as ``rtsp://camera/live``."""
    return word.partition("://")[0].lower() in _SCHEMES and "://" in word


def live_name(source: int | str) -> str:
    """What to call a camera or an address, without the user and the password in it."""
    if isinstance(source, int):
        return f"camera {source}"
    scheme, _, rest = source.partition("://")
    told = re.split("[?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(told) :]:  # a password may hold any letter: nothing tells where it ends
        told = "..."
    return one_line(f"{scheme}://{_SECRET.sub('...', told.rpartition('@')[2])}")


def live_names(sources: Sequence[int | str]) -> list[str]:
    """What to call each of several: those of one name, as a recorder's channels, are numbered."""
    return _apart([live_name(source) for source in sources], "{} #{}")


def live_stems(sources: Sequence[int | str]) -> list[str]:
    """The name of files of each of several, likewise."""
    return _apart([live_stem(source) for source in sources], "{}-{}")


def _apart(names: list[str], numbered: str) -> list[str]:
    """The names, a later one of the same name with its number; letters' case is no difference."""
    taken: set[str] = set()
    for at, name in enumerate(names):
        count = 1
        while names[at].lower() in taken:
            count += 1
            names[at] = numbered.format(name, count)
        taken.add(names[at].lower())
    return names


def live_stem(source: int | str) -> str:
    """The name of files that are made of a camera's or an address's frames."""
    if isinstance(source, int):
        return f"camera{source}"
    kept = live_name(source).partition("://")[2]
    return "".join(c if c.isalnum() or c in "-." else "_" for c in kept).strip("._") or "stream"


def open_live(source: int | str, name: str | None = None) -> Video:
    """Open a camera by its number, or a stream by its address.

    Args:
        source: The number or the address.
        name: What to call an address; None: its `live_name`.

    Raises:
        UnreadableImage: There is none, or it does not answer within ten seconds.
        UserError: PyAV is not installed.
    """
    if isinstance(source, int):
        return open_camera(source)
    av, name = library(), name or live_name(source)
    options = {"protocol_whitelist": _PROTOCOLS}
    if source.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # UDP loses packets, and passes no firewall
    try:
        return Video(name, av.open(source, options=options, timeout=_SECONDS))
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise UnreadableImage(f"{name}: cannot be opened ({reason_of(error)})") from None
