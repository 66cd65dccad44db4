"""Augment a folder of photos into another: read, plan, make, write the label file."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from osprey.augmentation.offline.journal import FAILURES, SETTINGS, AugmentJournal
from osprey.augmentation.offline.options import AugmentOptions
from osprey.augmentation.offline.plan import Plan, make_plan
from osprey.augmentation.offline.policies import policy_steps
from osprey.augmentation.offline.room import bytes_needed, check_room, in_bytes
from osprey.augmentation.offline.sources import Sources, read_sources
from osprey.augmentation.offline.variants import Job, Recipe, VariantMaker
from osprey.augmentation.offline.workers import shared_out
from osprey.augmentation.policy import check_policy
from osprey.data.folder_journal import Row
from osprey.data.folders import existing_folder, folder_to_write, outside, walk_photos
from osprey.data.passed_over import PassedOver
from osprey.data.value_range import measure_levels, range_of
from osprey.errors import DataError, UserError
from osprey.system.console import counted, in_minutes
from osprey.system.outputs import followed, output_path, refuse_existing
from osprey.system.paths import home_path

Say = Callable[[str], None]
_EVERY = 20.0  # seconds between lines where there is no terminal for a bar


def augment(options: AugmentOptions, say: Say) -> pd.DataFrame:
    """Augment as the options say.

    Args:
        options: What `augment_data` was told.
        say: Takes lines for the user.

    Returns:
        The new label file as a table.

    Raises:
        UserError: One line that says what is wrong and what to do.
    """
    root, output, photos = _places(options, say)
    notices: list[str] = []
    policy, steps = _policy(options.policy or "fish", notices)
    sources = read_sources(
        root, photos, home_path(options.label_file), options.columns, leave_out=options.leave_out
    )
    boxed = "boxes" in sources.manifest.table
    if boxed and options.policy is None:
        # Turned by fish, boxes would grow, and its mirrored edges show subjects without any.
        policy, steps = _policy("detection", notices)
    check_policy(steps, boxes=boxed)
    value_range = range_of(measure_levels(root, sources.manifest.table["path"].tolist()), notices)
    plan = make_plan(options, sources, notices)
    _say_begin(sources, [*notices, *_replaced(sources, options), *plan.lines()], say)
    exif = "exif" in options.keep
    recipe = Recipe(steps, options.seed, options.size, options.originals, exif, boxed, value_range)
    maker = VariantMaker(root, output, recipe)
    needed = None
    if not (output / SETTINGS).is_file():  # else part of it is there
        check_room(needed := bytes_needed(maker, plan.jobs), output)
    with AugmentJournal(output, _settings(options, policy, plan)) as journal:
        _make(plan, maker, journal, needed, options.processes, say)
        table = _written(plan, sources, journal, options)
    _say_end(table, journal, options, say)
    return table


def _policy(name: str, notices: list[str]) -> tuple[str, tuple[Any, ...]]:
    """A policy's name with a digest of its steps, and these."""
    steps = policy_steps(name, notices)
    return f"{name} {_digest(json.dumps(steps).encode())}", steps


def _replaced(sources: Sources, options: AugmentOptions) -> list[str]:
    """That columns of the label file have the names of new ones, where they would be missed."""
    own = {"source", "variant"} if "columns" in options.keep else set()
    lost = [name for name in sources.further if name in own]
    if (sources.manifest.table["weight"] != 1).any():
        lost.append("weight")
    names = " and ".join(lost)
    return [f"not kept, for the new file has its own of that name: {names}"] if lost else []


def _say_begin(sources: Sources, lines: list[str], say: Say) -> None:
    for line in (*sources.notices, *lines):
        say(line)
    if sources.left_out:
        count, first = counted(len(sources.left_out), "photo"), sources.left_out[0]
        say(f"left out, without a label: {count} such as '{first}'")


def _places(options: AugmentOptions, say: Say) -> tuple[Path, Path, list[str]]:
    """The folders and the names of all photos; nothing will be written among these."""
    root = existing_folder(str(options.input_folder), "--input_folder")
    passed = PassedOver()
    photos = list(walk_photos(root, passed))
    for line in passed.lines():
        say(line)
    if not photos:
        raise DataError(f"--input_folder: no photos under '{root}'")
    output = folder_to_write(str(options.output_folder), "--output_folder")
    outside([output], root, photos, "--output_folder")
    _check_target(options, root, output, photos)
    if (output / SETTINGS).is_file() and not options.resume:
        raise UserError(
            f"--output_folder: '{output}' was begun already: --resume goes on with it, or name "
            "another folder"
        )
    return root, output, [photo.relative_to(root).as_posix() for photo in photos]


def _check_target(options: AugmentOptions, root: Path, output: Path, photos: list[Path]) -> None:
    """Refuse a new label file that cannot be written where the user says."""
    new, option = _target(options)
    if new.suffix.lower() != ".csv":
        raise UserError(f"{option}: '{new}' is to be a CSV: let its name end in .csv")
    if new.resolve() == home_path(options.label_file).resolve():
        raise UserError(f"{option}: '{new}' is the label file; name another")
    folder = new.absolute().parent
    if new.resolve() == (output / FAILURES).resolve():
        raise UserError(f"{option}: '{new}' will list what cannot be read; name another")
    outside([folder], root, photos, option)
    if folder != output.absolute():
        folder_to_write(str(folder), option)
        if not folder.is_dir():
            raise UserError(f"{option}: there is no folder '{new.parent}' to write to")
    refuse_existing([followed(new)] if os.path.lexists(new) else [], option, force=options.force)


def _settings(options: AugmentOptions, policy: str, plan: Plan) -> dict[str, Any]:
    """Everything that the files depend on, by the names of options."""
    columns = [c for c in ("path", "label", "split", "boxes") if c in plan.manifest.table]
    labels = plan.manifest.table[columns].to_csv(index=False).encode("utf-8", "surrogateescape")
    copies = ",".join(map(str, plan.copies)).encode()
    return {
        "input_folder": str(home_path(options.input_folder).resolve()),
        "label_file": f"{Path(options.label_file).name} {_digest(labels)}",
        "policy": policy,
        "seed": options.seed,
        "size": options.size,
        "originals": options.originals,
        "exif": "exif" in options.keep,
        "balance": options.balance,
        "balance_by": options.balance_by,
        "counts": options.counts and Path(options.counts).name,
        "copies": f"{options.copies} {_digest(copies)}",
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _make(
    plan: Plan,
    maker: VariantMaker,
    journal: AugmentJournal,
    needed: int | None,
    processes: int,
    say: Say,
) -> None:
    """Make what is not there yet."""
    todo = [job for job in plan.jobs if job.source not in journal.done]
    if journal.before:
        say(f"done before: {counted(journal.before, 'photo')}; left: {len(todo)}")
    if not todo:
        return
    images = sum(job.copies for job in todo)
    if needed is None:
        check_room(needed := bytes_needed(maker, todo), journal.folder)
    processes = min(processes, len(todo))
    say(
        f"{images} {'copy' if images == 1 else 'copies'} of {counted(len(todo), 'photo')}, about "
        f"{in_bytes(needed)}, {counted(processes, 'worker')}"
    )
    started, done = time.perf_counter(), 0
    try:
        for job, rows in zip(
            todo, _with_progress(maker, todo, processes, images, say), strict=True
        ):
            journal.add(rows)
            done += job.copies
    except KeyboardInterrupt:
        say(f"{done} of {images} copies are written; the same command with --resume goes on")
        raise
    except OSError as error:
        raise UserError(
            f"--output_folder: cannot write to '{journal.folder}' ({error.strerror}); the same "
            "command with --resume goes on when that is mended"
        ) from None
    say(f"{images / (time.perf_counter() - started):.0f} images/s")


def _with_progress(
    maker: VariantMaker, todo: list[Job], processes: int, images: int, say: Say
) -> Iterator[list[Row]]:
    """The rows of every photo; a bar on a terminal, else a line now and then."""
    terminal = sys.stderr.isatty()
    started = told = time.perf_counter()
    done = 0
    with tqdm(total=images, unit=" images", leave=False, disable=not terminal) as bar:
        for job, rows in zip(todo, shared_out(maker, todo, processes), strict=True):
            yield rows
            bar.update(job.copies)
            done, now = done + job.copies, time.perf_counter()
            if not terminal and now - told >= _EVERY and 0 < done < images:
                told, rate = now, done / (now - started)
                left = in_minutes((images - done) / rate / 60)
                say(f"{done} of {images}, {rate:.0f} images/s, {left} left")


def _written(
    plan: Plan, sources: Sources, journal: AugmentJournal, options: AugmentOptions
) -> pd.DataFrame:
    """The new label file, written whole or not at all."""
    journal.write_failures()
    groups = ["group"] if (plan.manifest.table["group"] != "").any() else []
    further = [*sources.further, *groups] if "columns" in options.keep else []
    by_group = options.balance_by is not None
    table = journal.label_table(plan.manifest, further, by_group=by_group)
    if table.empty:
        failed = journal.of("failure")
        why = (
            f"none of the photos can be read, first: {failed[0]['failure']}"
            if failed
            else ("nothing is to be written: neither originals nor copies")
        )
        raise DataError(why)
    with output_path(*_target(options), force=options.force) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    return table


def _target(options: AugmentOptions) -> tuple[Path, str]:
    new = home_path(options.new_label_and_weights_file)
    return new, "--new_label_and_weights_file"


def _say_end(
    table: pd.DataFrame, journal: AugmentJournal, options: AugmentOptions, say: Say
) -> None:
    """What was written and the command that trains on it, or why not all of it was."""
    new, _ = _target(options)
    photos = table["source"].nunique()
    say(f"{counted(len(table), 'row')} of {counted(photos, 'photo')}: {new}")
    failed = journal.of("failure")
    if failed:
        line = (
            f"{counted(len(failed), 'photo')} could not be read, listed in "
            f"'{journal.folder / FAILURES}', first: {failed[0]['failure']}"
        )
        if not options.leave_out:
            raise DataError(f"{line}; mend them and add --resume, or --leave_out takes it so")
        say(line)
    if options.originals == "leave" and "split" not in table:
        say(
            "training will test on copies: the photos are not beside them (--originals leave), and "
            "no split is given"
        )
    words = ["osprey", "train", *(["experiment=detect"] if "boxes" in table else [])]
    words += ["data=table", f"data.root={journal.folder}", f"data.file={new}"]
    if options.balance_by in table:
        words.append(f"data.group={options.balance_by}")
    say("next:")
    say(f"  {shlex.join(words)}")
