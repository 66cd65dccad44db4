"""``osprey labels``: which of a run's labels are probably wrong, and a person's decisions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from osprey.commands.command_line import Parser, use_plugins
from osprey.commands.labelling.page import write_suspects
from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import counted, names_fitted, say
from osprey.system.files import write_csv
from osprey.system.outputs import output_path, refuse_existing
from osprey.tasks.decisions import DECISION, earlier_decisions
from osprey.tasks.suspects import Suspect

_TABLE, _PAGE = "suspects.csv", "suspects.html"
_SHOWN = 10


def main(argv: list[str]) -> int:
    """Rank suspects, or apply what was decided about them."""
    parser = Parser(
        prog="osprey labels",
        description="Which labels of a run's photos are probably wrong: a ranked table and a page. "
        "With --decisions, the run's table of photos with what you decided.",
    )
    parser.add_run()
    parser.add_argument("--decisions", metavar="FILE", help=f"{_TABLE} with your decisions in it")
    parser.add_argument("--output", metavar="FILE", help="with --decisions: the table to write")
    parser.add_argument(
        "--force", action="store_true", help="write over files that Osprey did not write"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if (arguments.decisions is None) != (arguments.output is None):
        raise UserError("--decisions and --output go together: name both files")
    run = find_run(arguments.run, Path(arguments.runs))
    config = run.load_config()
    if config.data.is_foreign:
        raise UserError(f"run '{run.path}' has data of your own module: it names no labels here")
    manifest = run.load_manifest(config.data.root)
    if arguments.decisions is None:
        _rank(run, config, manifest, force=arguments.force)
    else:
        _apply(run, config, manifest, Path(arguments.decisions), arguments.output, arguments.force)
    return 0


def _rank(run: RunFolder, config: TrainConfig, manifest: Manifest, *, force: bool) -> None:
    from osprey.tasks.registry import get_task

    folder = run.path / "labels"
    table = folder / _TABLE
    refuse_existing([table], "labels", force=force)  # what a person wrote into it stays
    found = get_task(config.task.name).label_suspects(run, config, manifest)
    folder.mkdir(exist_ok=True)
    found = replace(found, found=_open(found.found, manifest))
    with output_path(str(table), "labels", force=force) as partial:
        rows = ([*each.cells(), ""] for each in found.found)
        write_csv(partial, [*found.columns, DECISION], rows)
    with output_path(str(folder / _PAGE), "labels", force=True) as partial:
        write_suspects(partial, run, config.data, found, str(table))
    shown = found.found[:_SHOWN]
    names = names_fitted([each.path for each in shown], 60)
    for each in shown:
        say(f"{names[each.path]}  {each.line()}")
    if shown:
        say()
    count = len(found.found) if found.unit == "photo" else counted(len(found.found), found.unit)
    of = "of" if found.unit == "photo" else "on"
    say(f"labels  {count} {of} {counted(found.photos, 'photo')} to look at, by {found.how}")
    if found.doubt:
        say(f"note    {found.doubt}")
    say(f"table   {table}")
    say(f"page    {folder / _PAGE}")
    if not shown:
        return
    say()
    say(f"next: write {found.decisions} into its column '{DECISION}', then")
    words = ["osprey", "labels", str(run.path), "--decisions", str(table)]
    say(f"  {shlex.join([*words, '--output', 'manifest.csv'])}")


def _open(suspects: Sequence[Suspect], manifest: Manifest) -> list[Suspect]:
    """Those about which nobody has decided yet."""
    known = dict(zip(manifest.table["path"], earlier_decisions(manifest), strict=True))
    return [each for each in suspects if not each.is_decided(known.get(each.path, ""))]


def _apply(
    run: RunFolder, config: TrainConfig, manifest: Manifest, file: Path, output: str, force: bool
) -> None:
    if not file.is_file():
        raise UserError(f"--decisions: there is no file '{file}'")
    from osprey.tasks.registry import get_task

    done = get_task(config.task.name).apply_decisions(file, manifest, run.path)
    after, counts = done.manifest, done.counts
    with output_path(output, "--output", force=force) as partial:
        after.write(partial)
    said = [f"{counts[kind]} {kind}" for kind in ("changed", "dropped", "kept")]
    say(f"labels  {', '.join(said)}, {counts['open']} still open")
    if new := [name for name in done.names if name not in manifest.classes]:
        say(f"note    new classes: {', '.join(new)}")  # which may be slips of the pen
    say(f"wrote   {output}: {counted(len(after.table), 'photo')}")
    say()
    say("next:")
    words = ["osprey", "retrain", str(run.path), "data=table", f"data.root={config.data.root}"]
    say(f"  {shlex.join([*words, f'data.file={Path(output).absolute()}'])}")
