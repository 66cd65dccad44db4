"""What a classifier's report says of calibration and shift: nothing of too few photos."""

from __future__ import annotations

from osprey.system.console import counted
from osprey.tasks.classification.report.record import ClassifierRun

ENOUGH = 100  # photos from which calibration can be judged
_WORSE = 0.02  # of log loss, from which it is no noise


def remarks(run: ClassifierRun) -> dict[str, str]:
    """Sentences for the page, empty where there is nothing to say.

    Args:
        run: The record.

    Returns:
        ``temperature``, ``calibration`` and ``promise`` (of the thresholds).
    """
    n, val = int(run.figures["n"]), int(run.summary["val"]["n"])
    of_val = f"{counted(val, 'photo')} of validation"
    few = f"n={n}: too few photos to judge calibration by."
    return {
        "temperature": _temperature(run, val) or f"fitted on {of_val}: few",
        "calibration": few if n < ENOUGH else _shift(run, val),
        "promise": f"Chosen on {of_val}: too few to promise anything." if val < ENOUGH else "",
    }


def _temperature(run: ClassifierRun, val: int) -> str:
    if val < ENOUGH:
        return ""
    if run.summary["temperature"] > 1:
        return "above 1: too sure of itself on validation"
    return "at most 1: not too sure of itself on validation"


def _shift(run: ClassifierRun, val: int) -> str:
    """Whether test is unlike validation: a temperature fitted on a few photos would be no sign."""
    before, after = run.figures["uncalibrated"]["log_loss"], run.figures["log_loss"]
    if run.split != "test" or val < ENOUGH or after <= before + _WORSE:
        return ""
    return (
        "The temperature, fitted on validation, made the test scores worse: the test photos are "
        "unlike those of validation."
    )
