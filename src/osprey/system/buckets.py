"""Files in buckets: ``s3://`` and ``gs://`` addresses, through fsspec's packages."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

from osprey.errors import UserError

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
_ADDRESS = re.compile(r"(s3|gs)://([a-z0-9][a-z0-9._-]{1,221})(?:/(.*))?", re.DOTALL)
_LONGEST_KEY = 1024
SCHEMES = tuple(f"{scheme}://" for scheme in _PACKAGES)


def in_bucket(address: str) -> bool:
    """Whether an address begins as one of a bucket."""
    return address.startswith(SCHEMES)


def split_address(address: str) -> tuple[str, str, str] | None:
    """Scheme, bucket and key of an address; the key may be empty. None where it is none.

    What a service reads as part of a key, such as a version, stays part of it here.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or len(found[3] or "") > _LONGEST_KEY:
        return None
    return found[1], found[2], found[3] or ""


def file_system(scheme: str, option: str, **more: Any) -> Any:
    """Fsspec's file system of a scheme; credentials and endpoint are those of the environment.

    Args:
        scheme: ``s3`` or ``gs``.
        option: That asked for it, for the message.
        more: Further arguments of fsspec's.

    Raises:
        UserError: Its package is not installed, or cannot be set up.
    """
    package = _PACKAGES[scheme]
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"{option}: {scheme}:// needs {package}: pip install 'osprey-vision[{scheme}]'"
        )
    import fsspec

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, **more)
    except Exception as error:  # of two libraries' dozens
        raise not_set_up(option, scheme, error) from None


def not_set_up(option: str, scheme: str, error: Exception) -> UserError:
    """The refusal of a scheme that cannot be used; the libraries' own words may hold a token."""
    return UserError(
        f"{option}: {scheme}:// cannot be set up ({type(error).__name__}): see its credentials in "
        "the environment"
    )


def reason_in_words(error: Exception) -> str:
    """Why a file of a bucket cannot be had; the libraries' own words may name secrets."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, PermissionError):
        return "may not be read with the credentials at hand"
    return f"cannot be fetched ({type(error).__name__})"
