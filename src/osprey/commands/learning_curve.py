"""``osprey learning-curve``: how much better would more photos make it, in all and by class?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from osprey.commands.doctoring.words import own_settings, settings_lines
from osprey.config.chosen import overrides_of_job
from osprey.config.compose import run_hydra
from osprey.config.fields import setting
from osprey.config.parse import LIGHTNING
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, UserError
from osprey.runs.donor import with_runs_named
from osprey.system.console import counted, names_fitted, say
from osprey.system.files import write_json

if TYPE_CHECKING:
    from osprey.config.schema import TrainConfig
    from osprey.data.prepare import Prepared
    from osprey.tasks.learning_curve import Line
    from osprey.tasks.power_law import Expected

_USAGE = """How much data do I need? Heads on frozen features (a probe) of ever more training
photos, and by a power law what twice as many would bring.

  osprey learning-curve data=folder data.root=PHOTOS
  osprey learning-curve data=folder data.root=PHOTOS 'fractions=[0.1,0.25,0.5,1]' repeats=5

{settings}

Other settings follow as for 'osprey train'; experiment=probe unless another is named. A table and a
chart are written to runs/learning-curve/; nothing else is changed."""


@dataclass
class CurveSettings:
    """Which sets of training photos."""

    fractions: str = setting("[0.1,0.25,0.5,1]", "of the training photos; three or more for a law")
    repeats: int = setting(5, "sets of each size below 1", low=1, high=100)


def main(argv: list[str]) -> int:
    """Draw the learning curve of the settings."""
    if any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE.format(settings="\n".join(settings_lines(CurveSettings))))
        return 0
    own, words = own_settings(with_runs_named(argv), CurveSettings)
    fractions, repeats = _fractions(str(own.fractions)), own.repeats
    if any(word in ("-m", "--multirun") or word.startswith("resume=") for word in words):
        raise ConfigError("learning-curve takes one configuration: no -m and no resume")
    if not any(word.startswith("experiment=") for word in words):
        words.insert(0, "experiment=probe")

    def job(cfg: DictConfig) -> None:
        from osprey.engine.prepare import check_and_prepare

        config, prepared, _ = check_and_prepare(cfg, overrides_of_job())
        if prepared is None or config.task.name == LIGHTNING:
            raise ConfigError(
                "learning-curve is for Osprey's own tasks: yours has a loop of its own"
            )
        started = time.monotonic()
        lines = _lines(config, prepared, fractions, repeats)
        folder = Path(config.paths.runs) / "learning-curve" / new_stamp()
        _write(folder, lines, config.name)
        tested = (prepared.manifest.table["split"] == "test").any()
        _print(lines, "test" if tested else "val")
        say()
        say(f"wrote   {folder / 'curve.png'} and curve.json ({time.monotonic() - started:.0f} s)")

    run_hydra("train", words, job, "osprey learning-curve")
    return 0


def _fractions(text: str) -> list[float]:
    try:
        found = [
            float(part) for part in text.strip().removeprefix("[").removesuffix("]").split(",")
        ]
    except ValueError:
        raise ConfigError(
            f"fractions: '{text}' is no list of numbers such as [0.1,0.5,1]"
        ) from None
    if any(not 0 < value <= 1 for value in found):
        raise ConfigError(f"fractions: '{text}': each is above 0 and at most 1")
    return sorted(set(found))


def _lines(
    config: TrainConfig, prepared: Prepared, fractions: Sequence[float], repeats: int
) -> list[Line]:
    import pytorch_lightning as pl

    from osprey.tasks.assemble import assemble
    from osprey.tasks.loading import run_device
    from osprey.tasks.quiet import quieten
    from osprey.tasks.registry import get_task
    from osprey.tuning.autotune import resolve_auto

    quieten()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    resolve_auto(config.trainer)
    assembly = assemble(config, prepared.manifest, resuming=False)
    device = run_device(config.trainer)
    return get_task(config.task.name).learning_lines(
        assembly.task, assembly.data, device, fractions, repeats
    )


def _print(lines: Sequence[Line], split: str) -> None:
    whole = lines[0]
    say()
    where = f"{counted(whole.tested, 'photo')} of {split}"
    say(f"photos  {whole.name} (95% interval), tested on {where}")
    for count, point in zip(whole.counts, whole.points, strict=True):
        say(f"{count:>6}  {_shown(point)}")
    if whole.doubled is not None:
        say(f"{2 * whole.counts[-1]:>6}  {_shown(whole.doubled)} expected")
    elif len(whole.counts) < 3:
        say("no law is fitted to fewer than three fractions")
    else:
        say("no power law fits these points: what more photos bring is not told")
    if split == "val":
        say("note    there is no test split: the strength of L2 was chosen on these photos, too")
    names = names_fitted(["class", *(line.name for line in lines[1:])], 33)
    say()
    say(f"{names['class']}  photos  tested     F1   with twice as many")
    for line in lines[1:]:
        gain = "" if line.gain is None else f"{line.gain.value:+.3f} ({line.gain.low:+.3f} to "
        gain += "" if line.gain is None else f"{line.gain.high:+.3f})"
        doubt = f"  too small to trust: {line.doubt}" if line.doubt else ""
        say(
            f"{names[line.name]}  {line.counts[-1]:>6}  {line.tested:>6}  "
            f"{_shown(line.points[-1])[:5]:>5}   {gain}{doubt}".rstrip()
        )


def _shown(point: Expected | None) -> str:
    if point is None:
        return "?"
    return f"{point.value:.3f} ({point.low:.3f} to {point.high:.3f})"


def _write(folder: Path, lines: Sequence[Line], name: str) -> None:
    from osprey.reports.line_chart import line_chart

    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"paths.runs: cannot write to '{folder}' ({error.strerror})") from None
    content: list[dict[str, Any]] = [
        {**asdict(line), "counts": line.counts.tolist(), "doubt": line.doubt} for line in lines
    ]
    write_json(folder / "curve.json", content)
    whole = lines[0]
    later = [] if whole.doubled is None else [(2 * int(whole.counts[-1]), whole.doubled.value)]
    known = zip(whole.counts.tolist(), whole.points, strict=True)
    points = [*((count, point.value) for count, point in known if point is not None), *later]
    line_chart(
        folder / "curve.png",
        [count for count, _ in points],
        [value for _, value in points],
        title=f"Learning curve: {name}" + (", right of the line expected" if later else ""),
        x_label="training photos",
        y_label=whole.name,
        mark=float(whole.counts[-1]),
    )
