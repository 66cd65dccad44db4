"""``osprey doctor``: what is wrong with a data set, before it is trained on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from osprey.commands.doctoring.data import (
    check_target,
    read_settings,
    refuse_inside,
    telling,
)
from osprey.commands.doctoring.words import own_settings, refuse_several, settings_lines
from osprey.config.compose import run_hydra
from osprey.config.schema import TrainConfig
from osprey.config.stamp import new_stamp
from osprey.data.folders import folder_to_write
from osprey.doctor.settings import DoctorSettings
from osprey.errors import DataError
from osprey.system.console import counted, say
from osprey.system.outputs import own_path, refuse_existing

if TYPE_CHECKING:
    from osprey.doctor.fixing import Fixed

_USAGE = """Look for what is wrong with a data set: files, copies, leaks, labels, boxes, outliers.

  osprey doctor data=folder data.root=PHOTOS
  osprey doctor data=table data.root=PHOTOS data.file=labels.csv data.group=boat fix=clean.csv
  osprey doctor data=coco data.root=PHOTOS data.file=boxes.json
  osprey doctor data=folder data.root=PHOTOS features=true

Settings of its own:

{settings}

All others follow as for 'osprey train' (data=, data.KEY=, experiment=, with features model=).
Exit code 0: nothing found, 1: findings, 2: it could not run. Photos are only ever read."""
_MAP_PHOTOS = 4000  # points of the map with a picture


def main(argv: list[str]) -> int:
    """Examine the data set that ``argv`` names."""
    if any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE.format(settings="\n".join(settings_lines(DoctorSettings))))
        return 0
    own, words = own_settings(argv, DoctorSettings)
    refuse_several(words, "doctor")
    found: list[int] = []

    def job(cfg: DictConfig) -> None:
        found.append(_examine(read_settings(cfg, "doctor"), own))

    run_hydra("train", [*_of_features(own, words), *words], job, "osprey doctor")
    return found[0] if found else 0


def _of_features(own: DoctorSettings, words: Sequence[str]) -> list[str]:
    """The probe's network, unless a model is chosen."""
    from osprey.commands.doctoring.features import WORDS

    chosen = any(word.partition("=")[0] in ("model", "experiment") for word in words)
    return list(WORDS) if own.features and not chosen else []


def _examine(config: TrainConfig, own: DoctorSettings) -> int:
    from osprey.doctor.checks.registry import examine
    from osprey.doctor.fixing import fixed
    from osprey.doctor.listing import findings_json, lines_of
    from osprey.doctor.report import doctor_page
    from osprey.doctor.survey import survey
    from osprey.reports.build import write_page
    from osprey.system.files import write_json

    target = None if own.fix is None else check_target(own.fix, "fix", config.data)
    named = Path(config.paths.runs) / "doctor" / new_stamp() if own.output is None else own.output
    folder = folder_to_write(str(named), "output")
    refuse_inside(folder, "output", config.data)
    files = folder / "doctor.html", folder / "doctor.json"
    for file in files:
        refuse_existing([file], "output", force=False)
    notices: list[str] = []
    with telling(notices):
        known = survey(config.data, own.near, notices, _MAP_PHOTOS if own.features else 0)
    if own.features:
        from osprey.commands.doctoring.features import likeness_of

        known.likeness = likeness_of(known, config)
    findings = examine(known)
    mended = fixed(known, findings) if target is not None else None
    for line in lines_of(known, findings):
        say(line)
    refused = "" if mended is None else _emptied(mended, str(target))
    if refused:
        known.notices.append(refused)
        mended = None
    if mended is not None and target is not None:
        with own_path(target, "fix", force=False) as partial:
            mended.manifest.table.to_csv(partial, index=False, lineterminator="\n")
        _say_fixed(mended, target, str(known.manifest.root))
    folder.mkdir(parents=True, exist_ok=True)
    with own_path(files[1], "output", force=False) as partial:
        write_json(partial, findings_json(known, findings, mended), errors="backslashreplace")
    with own_path(files[0], "output", force=False) as partial:
        write_page(doctor_page(known, findings, mended), partial)
    say(f"wrote    {files[0]} and .json")
    if refused:
        raise DataError(refused)
    return 1 if findings else 0


def _emptied(mended: Fixed, target: str) -> str:
    """Why a manifest cannot be the fixed one: training would cut a lost split by chance again."""
    if not mended.emptied:
        return ""
    lost = " and ".join(mended.emptied)
    return (
        f"fix: '{target}' is not written: {lost} would be empty, with "
        f"{counted(len(mended.dropped), 'row')} dropped and {len(mended.moved)} moved, as what "
        "must share a split is too large; collect photos of other occasions, or cut by hand"
    )


def _say_fixed(mended: Fixed, target: Path, root: str) -> None:
    from osprey.data.formats.mend import mended_line

    counts = mended.manifest.counts()
    sizes = ", ".join(f"{split} {sum(found.values())}" for split, found in counts.items())
    say(
        f"fix      {counted(len(mended.dropped), 'row')} dropped, {len(mended.moved)} moved to "
        f"another split: {sizes}; doctor.json says which and why"
    )
    if len(mended.boxes):
        say(f"fix      {mended_line(mended.boxes, 'doctor.json')}")
    words = ["data=table", f"data.root={root}", f"data.file={target}"]
    say(f"wrote    {target}; train on it with {shlex.join(words)}")
