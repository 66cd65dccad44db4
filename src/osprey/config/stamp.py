"""Names that no two runs share, not even two started within one second."""

from __future__ import annotations

import secrets
from datetime import datetime


def new_stamp() -> str:
    """Return ``YYYYmmdd-HHMMSS-xxxx``: sortable by time, four random hex digits against twins."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
