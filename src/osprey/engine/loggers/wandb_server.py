"""Whether Weights & Biases can be reached, found out within seconds. No torch."""

from __future__ import annotations

import http.client
import netrc
import os
import ssl
import threading
import urllib.error
import urllib.request
from urllib.parse import urlparse

from osprey.system.paths import home_path

_PATIENCE = 5  # seconds
_ANSWERS = "answers"


def why_offline(base_url: str) -> str | None:
    """Why a run does not go to Weights & Biases, or None if it does.

    Args:
        base_url: Of its server.
    """
    if os.environ.get("WANDB_MODE"):  # the user has decided
        return None
    return why_no_key(base_url) or why_unreachable(base_url)


def why_no_key(base_url: str) -> str | None:
    """What to do where no key for the server is known, or None if one is.

    Args:
        base_url: Of the server.
    """
    if os.environ.get("WANDB_API_KEY") or _netrc_key(_host(base_url)):
        return None
    return "no API key: set WANDB_API_KEY or run 'wandb login'"


def why_unreachable(base_url: str) -> str | None:
    """Why the server cannot be reached, or None if it answers.

    Args:
        base_url: Of the server.
    """
    found = [f": no answer within {_PATIENCE} seconds"]
    # In a thread, since no time limit of Python's holds for the look-up of the host's name.
    asking = threading.Thread(target=lambda: found.append(_ask(base_url)), daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    why = found[-1]
    return None if why == _ANSWERS else f"'{_host(base_url)}' cannot be reached{why}"


def _ask(base_url: str) -> str:
    try:
        urllib.request.urlopen(f"{base_url.rstrip('/')}/healthz", timeout=2 * _PATIENCE).close()
    except urllib.error.HTTPError as error:
        return f": error {error.code}" if error.code >= 500 else _ANSWERS
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        # Its certificate is for W&B to judge, which has some of its own.
        return _ANSWERS if isinstance(cause, ssl.SSLCertVerificationError) else ""
    return _ANSWERS


def _host(base_url: str) -> str:
    return urlparse(base_url).hostname or base_url


def _netrc_key(host: str) -> bool:
    for name in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        file = home_path(name) if name else None
        if file is not None and file.is_file():
            try:
                return netrc.netrc(file).authenticators(host) is not None
            except (netrc.NetrcParseError, OSError):
                return False
    return False
