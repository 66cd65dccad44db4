"""What ``osprey doctor`` takes beside the settings of a training."""

from __future__ import annotations

from dataclasses import dataclass

from osprey.config.fields import setting

NEAR = ("auto", "all", "whole", "none")


@dataclass
class DoctorSettings:
    """What is looked for, and where it is written."""

    output: str | None = setting(None, "folder of doctor.html and doctor.json")
    fix: str | None = setting(None, "a CSV to write: the samples, unsafe ones moved or dropped")
    near: str = setting(
        "auto",
        "near copies: all (mirrored, turned and cut ones too), whole photos as they are, or none; "
        "auto: all, of more than 20,000 photos whole",
        choices=NEAR,
    )
    features: bool = setting(
        False, "features of a frozen backbone: likenesses, doubtful labels, a map"
    )
