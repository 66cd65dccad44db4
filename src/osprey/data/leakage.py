"""Check for leakage and missing classes."""

from __future__ import annotations

from osprey.config.schema import DataConfig
from osprey.data.manifest import SPLITS, Manifest
from osprey.errors import DataError


def check_splits(manifest: Manifest, config: DataConfig, notices: list[str]) -> None:
    """Check for leaking groups, a single class, and classes without training samples.

    Args:
        manifest: Samples with splits.
        config: ``allow_leakage`` turns the error about groups into a notice.
        notices: Lines for the user are appended here.

    Raises:
        DataError: One line that names the groups or classes and what to do.
    """
    target = manifest.target
    target.check_classes(manifest)
    counts = target.counts(manifest)
    for name in manifest.classes:
        if name not in counts["train"]:
            elsewhere = ", ".join(f"{counts[s][name]} in {s}" for s in SPLITS if name in counts[s])
            raise DataError(
                f"class '{name}' has no {target.unit} in train ({elsewhere}): move some there, "
                "or leave it out with data.classes=[...]"
            )
    if not manifest.counts()["val"]:
        raise DataError(f"the validation split of '{manifest.root}' is empty")
    for split in ("val", "test"):
        absent = [name for name in manifest.classes if name not in counts[split]]
        if absent and counts[split]:
            shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if absent[5:] else "")
            what = "validated" if split == "val" else "tested"
            notices.append(f"never {what}, too few for a share in {split}: {shown}")
    if manifest.has_groups:
        _check_groups(manifest, config, notices)


def _check_groups(manifest: Manifest, config: DataConfig, notices: list[str]) -> None:
    by_group = manifest.table.groupby("group")["split"].unique()
    straddling = by_group[by_group.map(len) > 1]
    if straddling.empty:
        return
    named = ", ".join(
        f"{group} ({'+'.join(s for s in SPLITS if s in splits)})"
        for group, splits in straddling.head(5).items()
    )
    more = f" and {len(straddling) - 5} more" if len(straddling) > 5 else ""
    line = f"{len(straddling)} of {len(by_group)} groups straddle splits: {named}{more}"
    if not config.allow_leakage:
        raise DataError(
            f"{line}; split by group with data.given_split=false, "
            "or accept flattering figures with data.allow_leakage=true"
        )
    notices.append(f"leaky split: {line}")
