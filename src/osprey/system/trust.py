"""Which names of classes may be followed.

A command line may name any class. A file from elsewhere (checkpoint, run folder) may name only what
is Osprey's, what an installed plugin brings, and what this command line trusts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from osprey.errors import CheckpointError, ConfigError

# Classes defined below these compute and do nothing else.
_PURE = (
    *("torch.optim.", "torch.nn.", "torchmetrics.", "timm.optim.", "timm.scheduler.", "timm.loss."),
    *("pytorch_lightning.callbacks.", "pytorch_lightning.Trainer"),
)
# Of Osprey's own, what the options of its configuration name.
_OWN = (
    *("osprey.models.", "osprey.tasks.", "osprey.engine.loggers."),
    "osprey.data.datamodule.DataModule",
)
PURE_PACKAGES = frozenset(name.partition(".")[0] for name in _PURE)
_trusted: set[str] = set()


def set_trusted(names: Iterable[str]) -> None:
    """Trust just these packages, as when a command ends."""
    _trusted.clear()
    _trusted.update(names)


def is_trusted(target: str) -> bool:
    """Whether a file from elsewhere may name ``target``."""
    return _vouched(target) or target.startswith((*_OWN, *_PURE))


def _vouched(target: str) -> bool:
    """Whether this command names it, or its package."""
    return target in _trusted or target.partition(".")[0] in _trusted


def refuse_detour(key: str, target: str, found: object) -> None:
    """Refuse a name that leads through a known package to something else, such as ``os.system``.

    Raises:
        ConfigError: Nobody vouches for it.
    """
    root = target.partition(".")[0]
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    if not _vouched(target) and home != root:
        raise ConfigError(f"{key}._target_: '{target}' is not defined in '{root}'")


def targets_in(node: Any) -> Iterator[str]:
    """Every ``_target_`` anywhere below ``node``, which is plain data."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield str(value)
            yield from targets_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets_in(value)


def trust_packages(names: Iterable[str]) -> None:
    """Trust packages, or single targets, for this command."""
    _trusted.update(names)


def trust_targets(node: Any) -> None:
    """Trust just the targets that this command's own configuration names, for this command."""
    trust_packages(target for target in targets_in(node) if not is_trusted(target))


def trusted_names() -> list[str]:
    """Packages and single targets that files may name, beside Osprey's own."""
    return sorted(_trusted)


def trusted_packages() -> list[str]:
    """The packages that these lie in."""
    return sorted({name.partition(".")[0] for name in _trusted})


def refuse_untrusted(where: str, targets: Iterable[str]) -> None:
    """Refuse a file that names classes which this command line does not trust.

    Args:
        where: What names them, such as ``checkpoint 'best.ckpt'``.
        targets: Dotted names.

    Raises:
        CheckpointError: One is neither Osprey's, a plugin's, nor trusted by the command.
    """
    for target in targets:
        if not is_trusted(target):
            package = target.partition(".")[0]
            raise CheckpointError(
                f"{where} names {target}, which is not Osprey's: add --plugin {package} "
                f"(or plugins=[{package}]) if you trust it"
            )
