"""The Hugging Face hub: one request before a download, none for files in the cache."""

from __future__ import annotations

from collections.abc import Sequence


def is_kept(repository: str, files: Sequence[str]) -> bool:
    """Whether one of a repository's files is in the local cache.

    Args:
        repository: Hugging Face repository, ``owner/name``.
        files: Names of files in it.

    Returns:
        True if at least one is cached.
    """
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)


def check_hub() -> None:
    """Check once that the hub answers; its own client retries for a minute before it gives up.

    Raises:
        ConnectionError: It does not answer within 10 seconds.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return  # its client fails at once
    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception as error:
        raise ConnectionError(f"{constants.ENDPOINT} does not answer: {error}") from None
