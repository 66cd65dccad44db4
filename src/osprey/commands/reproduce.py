"""``osprey reproduce RUN``: what it takes to have a run again, and whether it is the same."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from osprey.commands import train
from osprey.commands.command_line import Parser, use_plugins
from osprey.data.copies import changed_photos
from osprey.errors import UserError
from osprey.runs.again import command_of, environment_of
from osprey.runs.environment import describe_environment
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import counted, say
from osprey.tasks.registry import shown_metrics

_SHOWN = 5


def main(argv: list[str]) -> int:
    """Print what differs from then; with ``--check`` train again and compare the figures."""
    parser = Parser(
        prog="osprey reproduce",
        description="Say what it takes to have a run again: code, packages, photos, command.",
    )
    parser.add_run()
    parser.add_argument(
        "--check", action="store_true", help="train it again and compare the figures"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    run = find_run(arguments.run, Path(arguments.runs))
    words = command_of(run)
    before, now = environment_of(run), describe_environment(None, None)
    say(f"run      {run.path}")
    _code(before, now, run)
    _packages(before, now)
    _photos(run)
    say(f"command  {shlex.join(['osprey', 'train', *words])}")
    if not arguments.check:
        return 0
    return _check(run, words, arguments.runs)


def _code(before: dict[str, Any], now: dict[str, Any], run: RunFolder) -> None:
    commit = before.get("git_commit")
    if commit is None:
        version = before.get("packages", {}).get("osprey-vision", "unknown")
        say(f"code     osprey-vision {version}, not from a repository")
    elif commit == now["git_commit"]:
        say(f"code     commit {commit[:12]}, as here")
    else:
        here = (now["git_commit"] or "none")[:12]
        say(f"code     commit {commit[:12]}; here is {here}: git checkout {commit[:12]}")
    places = {"Osprey": before.get("git_patch"), **_patches(before)}
    for name, patch in places.items():
        if patch:
            lines = counted(len(patch.splitlines()), "line")
            say(f"patch    {name}: {lines} not committed, in '{run.path / 'environment.json'}'")


def _patches(before: dict[str, Any]) -> dict[str, str | None]:
    return {name: of.get("git_patch") for name, of in before.get("user_code", {}).items()}


def _packages(before: dict[str, Any], now: dict[str, Any]) -> None:
    then = {"python": before.get("python"), **before.get("packages", {})}
    here = {"python": now["python"], **now["packages"]}
    other = [f"{n} {v} (here {here.get(n, 'none')})" for n, v in then.items() if here.get(n) != v]
    say(f"packages {', '.join(other) if other else 'as here'}")


def _photos(run: RunFolder) -> None:
    config = run.load_config()
    if config.data.is_foreign:
        say("photos   read by a DataModule of your own: not known")
        return
    found = changed_photos(run.load_manifest(config.data.root, content=True))
    if not found:
        say("photos   the same, byte for byte")
        return
    more = ", ..." if len(found) > _SHOWN else ""
    say(
        f"photos   {counted(len(found), 'photo')} missing or changed: "
        f"{', '.join(found[:_SHOWN])}{more}"
    )


def _check(run: RunFolder, words: list[str], runs: str) -> int:
    """Train again; exit code 1 where a figure is another."""
    if not run.finished:
        raise UserError(f"run '{run.path}' is not finished: there is nothing to compare with")
    say()
    code = train.main([*words, f"paths.runs={runs}"])
    if code:
        return code
    again = find_run("latest", Path(runs))
    config = run.load_config()
    metrics = shown_metrics(config.task.name, config.monitor, config.mode)
    old, new = run.read_json("summary.json"), again.read_json("summary.json")
    same = True
    say()
    for split in (s for s in ("val", "test") if s in old):
        for metric in metrics:
            then, now = old[split].get(metric.key), new.get(split, {}).get(metric.key)
            equal = then == now
            same = same and equal
            verdict = "the same" if equal else "differs"
            say(f"{split:<5} {metric.name:<12} {then!r} then, {now!r} now: {verdict}")
    say("reproduced, to the last digit" if same else "not the same: see packages and code above")
    return 0 if same else 1
