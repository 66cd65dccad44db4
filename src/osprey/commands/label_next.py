"""``osprey label-next``: which unlabelled photos a person should label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from osprey.commands.command_line import Parser, use_plugins
from osprey.commands.predicting.inputs import run_with_model
from osprey.config.schema import TrainConfig
from osprey.data.folders import existing_folder, folder_to_write, outside, walk_photos
from osprey.data.passed_over import PassedOver
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say
from osprey.system.files import write_csv, write_json, write_text
from osprey.system.outputs import output_path, refuse_existing
from osprey.tasks.next_photos import NextPhoto

_TABLE, _TASKS, _SETUP = "photos.csv", "label_studio.json", "label_studio.xml"
_COLUMNS = ("path", "label", "predicted", "score", "why")


def main(argv: list[str]) -> int:
    """Write the photos as a table, and as tasks for Label Studio."""
    parser = Parser(
        prog="osprey label-next",
        description="Which unlabelled photos to label next: those a run is uncertain about, unlike "
        "each other, and a tenth by chance. Photos that the run knows are left out.",
    )
    parser.add_run()
    parser.add_argument("--folder", required=True, metavar="PHOTOS", help="unlabelled photos")
    parser.add_argument("--n", type=int, default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument("--output", default="next", metavar="OUT", help="folder (default: next)")
    parser.add_argument(
        "--force", action="store_true", help="write over files that Osprey did not write"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if arguments.n < 1:
        raise UserError(f"--n: {arguments.n} is not a number of photos")
    root = existing_folder(arguments.folder, "--folder")
    output = folder_to_write(arguments.output, "--output")
    targets = [output / name for name in (_TABLE, _TASKS, _SETUP)]
    refuse_existing(targets, "--output", force=arguments.force)
    run = run_with_model(arguments.run, Path(arguments.runs))
    config = run.load_config()
    paths, notices = _unlabelled(run, config, root, output)
    from osprey.tasks.registry import get_task

    found = get_task(config.task.name).next_photos(run, config, root, paths, arguments.n)
    output.mkdir(parents=True, exist_ok=True)
    rows = ([p.path, "", p.predicted, f"{p.score:.4f}", p.why] for p in found)
    with output_path(targets[0], "--output", force=arguments.force) as partial:
        write_csv(partial, _COLUMNS, rows)
    with output_path(targets[1], "--output", force=arguments.force) as partial:
        write_json(partial, [_task(photo, run) for photo in found])
    classes = run.read_json("summary.json")["classes"]
    with output_path(targets[2], "--output", force=arguments.force) as partial:
        write_text(partial, _setup(classes))
    for line in notices:
        say(line)
    audit = sum(photo.why == "audit" for photo in found)
    say(f"chosen  {len(found)} of {counted(len(paths), 'photo')}, {audit} of them by chance")
    say(f"table   {targets[0]}")
    say(f"tasks   {targets[1]} and {targets[2].name}, for Label Studio")
    return 0


def _unlabelled(
    run: RunFolder, config: TrainConfig, root: Path, output: Path
) -> tuple[list[str], list[str]]:
    """Photos that can be read and that the run does not know, and lines about the others."""
    from osprey.data.check import check_files

    passed = PassedOver()
    photos = list(walk_photos(root, passed))
    outside([output], root, photos, "--output")
    paths = [photo.relative_to(root).as_posix() for photo in photos]
    if not paths:
        raise UserError(f"--folder: there are no photos in '{root}'")
    checked = check_files(root, paths, Path(config.paths.cache))
    known = set() if config.data.is_foreign else set(run.samples()["sha256"])
    digests = dict(zip(paths, (row.tobytes().hex() for row in checked.digests), strict=True))
    fresh = [p for p in paths if p not in checked.unreadable and digests[p] not in known]
    notices = passed.lines()
    if checked.unreadable:
        example = next(iter(checked.unreadable.values()))
        count = counted(len(checked.unreadable), "photo")
        notices.append(f"left out, cannot be read: {count}, first {example}")
    if seen := len(paths) - len(checked.unreadable) - len(fresh):
        notices.append(f"left out, the run knows them: {counted(seen, 'photo')}")
    if not fresh:
        raise UserError(
            f"--folder: none of the {counted(len(paths), 'photo')} in '{root}' is left to label: "
            "the run knows them, or they cannot be read"
        )
    return fresh, notices


def _task(photo: NextPhoto, run: RunFolder) -> dict[str, Any]:
    """A task of Label Studio's, with what the run answers as a first guess."""
    choice = {
        "from_name": "label",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [photo.predicted]},
    }
    guess = {"model_version": run.full_name, "score": round(photo.score, 4), "result": [choice]}
    # Its address of a photo below the folder that it is set up to serve.
    return {
        "data": {
            "image": f"/data/local-files/?d={quote(photo.path)}",
            "path": photo.path,  # as it is, for the way back
            "why": photo.why,
        },
        "predictions": [guess],
    }


def _setup(classes: Sequence[str]) -> str:
    """The labelling interface."""
    lines = [
        "<View>",
        '  <Image name="image" value="$image"/>',
        '  <Choices name="label" toName="image" choice="single">',
        *(f"    <Choice value={quoteattr(name)}/>" for name in classes),
        "  </Choices>",
        "</View>",
    ]
    return "".join(f"{line}\n" for line in lines)
