"""Every check, in the order of the page: one line each."""

from __future__ import annotations

from collections.abc import Callable

from osprey.doctor.checks.boxes import check_boxes
from osprey.doctor.checks.bursts import check_bursts
from osprey.doctor.checks.classes import check_classes
from osprey.doctor.checks.copies import check_copies
from osprey.doctor.checks.features import check_features
from osprey.doctor.checks.files import check_files
from osprey.doctor.checks.groups import check_groups
from osprey.doctor.checks.names import check_names
from osprey.doctor.checks.near import check_near
from osprey.doctor.checks.outliers import check_outliers
from osprey.doctor.checks.placeholders import check_placeholders
from osprey.doctor.checks.table import check_table
from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey

CHECKS: dict[str, Callable[[Survey], list[Finding]]] = {
    "table": check_table,
    "files": check_files,
    "groups": check_groups,
    "copies": check_copies,
    "near": check_near,
    "bursts": check_bursts,
    "names": check_names,
    "classes": check_classes,
    "boxes": check_boxes,
    "placeholders": check_placeholders,
    "outliers": check_outliers,
    "features": check_features,
}


def examine(survey: Survey) -> list[Finding]:
    """Run every check.

    Args:
        survey: What is known of the data set.

    Returns:
        What was found, what is grave first.
    """
    found = [finding for check in CHECKS.values() for finding in check(survey)]
    return sorted(found, key=lambda finding: not finding.grave)
