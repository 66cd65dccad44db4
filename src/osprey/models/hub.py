"""The hub that pretrained weights come from: asked once, and not at all for what is kept."""

from __future__ import annotations

from collections.abc import Sequence


def is_kept(repository: str, files: Sequence[str]) -> bool:
    """Whether one of ``files`` of a repository has been downloaded before."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)


def check_hub() -> None:
    """Ask once whether the hub answers: its own client tries for a minute before it gives up.

    Raises:
        ConnectionError: It does not.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return  # its client says so at once
    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception as error:
        raise ConnectionError(f"{constants.ENDPOINT} does not answer: {error}") from None
