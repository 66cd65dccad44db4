"""``osprey eval``: test a run's checkpoint and write the figures down."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from omegaconf import DictConfig

from osprey.commands.predicting.inputs import run_of_task
from osprey.commands.settings_help import asks_help, show_help
from osprey.config.call import read_call
from osprey.config.compose import run_call
from osprey.config.parse import typed_eval
from osprey.config.schema import DataConfig, EvalConfig
from osprey.config.validate import validate_eval
from osprey.errors import ConfigError, UserError, nearest
from osprey.runs.folder import RunFolder, find_run
from osprey.runs.tested import Tested, samples_to_test
from osprey.sweeping.preflight import check_trials
from osprey.system.paths import home_path
from osprey.tasks.registry import all_tasks, get_task


def main(argv: list[str]) -> int:
    """Evaluate as the overrides in ``argv`` say."""
    if asks_help(argv):
        return show_help("eval", argv, PROGRAM)
    call = read_call("eval", argv, PROGRAM)
    if call.line.several:
        check_trials(call, lambda cfg, _: validate_eval(typed_eval(cfg)))
    run_call(call, evaluate_composed)
    return 0


PROGRAM = "osprey eval"


def evaluate_composed(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate as a composed configuration says; the figures that were written down."""
    config = typed_eval(cfg)
    validate_eval(config)
    if config.detector is not None:
        return _two_step(config, config.detector)
    return _evaluate(config)


def _evaluate(config: EvalConfig) -> dict[str, Any]:
    run = find_run(config.run, Path(config.paths.runs))
    checkpoint = run.best if config.checkpoint == "best" else run.last
    if not checkpoint.is_file():
        raise UserError(f"run '{run.path}' has no {checkpoint.name}")
    settings = run.load_config()
    task = get_task(settings.task.name)
    if config.tta != "none" and not task.supports_tta:
        names = " or ".join(other.name for other in all_tasks() if other.supports_tta)
        raise ConfigError(f"tta={config.tta} goes with task={names}: set it to none")
    if config.batch_size is not None:
        settings.data.eval_batch_size = config.batch_size
    settings.data.num_workers = config.num_workers
    settings.trainer.accelerator = config.accelerator
    tested = _samples(config, settings.data, run)

    from osprey.engine.console import print_remarks, print_sources
    from osprey.system.console import say
    from osprey.system.devices import pick_device
    from osprey.tasks.quiet import quieten

    quieten(settings.extras.ignore_warnings)
    pick_device(config.accelerator)
    split = config.data.split
    name = f"{config.checkpoint}-{split}{_told_apart(config)}"
    predictions = run.path / "evaluations" / f"{name}.csv"
    _make_writable(predictions.parent)
    manifest = None if tested is None else tested.manifest
    figures = task.test(checkpoint, settings, manifest, split, predictions, config.tta)
    figures |= _trained_on(tested)
    if tested is not None:
        blind = task.blind_figures(tested.own.split("train"), tested.manifest.split(split))
        figures |= {"blind": blind} if blind else {}
    run.write_json(f"evaluations/{name}.json", figures)
    if "per_class" in figures:
        task.per_class_table(figures["per_class"])
        say()
    if config.tta == "none":
        say(f"{split:<7} {task.metrics_line(figures)}")
    else:
        say(f"{split:<7} without tta:  {task.metrics_line(figures['without_tta'])}")
        say(f"{split:<7} {f'tta={config.tta}:':<13} {task.metrics_line(figures)}")
    print_sources(figures, task.metrics_line)
    print_remarks(task.remarks(figures))
    _say_trained_on(tested, split)
    written = ".json and .csv" if task.writes_predictions else ".json"
    say(f"wrote   {run.path / 'evaluations' / name}{written} ({checkpoint})")
    return figures


def _two_step(config: EvalConfig, detector: str) -> dict[str, Any]:
    """Name photos by their boxes and as a whole, and write both figures down."""
    runs = Path(config.paths.runs)
    where = run_of_task(detector, runs, "detection", "detector")
    what = run_of_task(config.run, runs, "classification", "run")
    whole = run_of_task(config.one_step or str(what.path), runs, "classification", "one_step")
    settings = whole.load_config()
    tested = _samples(config, settings.data, whole, where, what)
    assert tested is not None, "of a task that reads photos"
    samples = tested.manifest
    if config.nothing is not None and config.nothing not in samples.classes:
        hint = nearest(config.nothing, samples.classes)
        raise ConfigError(f"nothing: no photo is labelled '{config.nothing}'{hint}")
    part = samples.split(config.data.split)

    from osprey.pipelines.two_step import TwoStep
    from osprey.pipelines.two_step_metrics import compare, print_comparison
    from osprey.system.console import say
    from osprey.system.devices import pick_device
    from osprey.tasks.classification.predictor import Predictor
    from osprey.tasks.detection.predictor import BoxPredictor

    device = pick_device(config.accelerator)
    steps = TwoStep(
        BoxPredictor(where.best, device, config.min_score),
        Predictor(what.best, device, config.tta),
        fallback=config.full_image_fallback,
    )
    one_step = Predictor(whole.best, device, config.tta)
    name = f"evaluations/two-step-{where.path.name}-{config.data.split}{_told_apart(config)}"
    _make_writable(what.path / "evaluations")
    figures = compare(steps, one_step, part, config.nothing, what.path / f"{name}.csv")
    runs_of = {"detector": where, "classifier": what, "one_step_classifier": whole}
    figures |= {"min_score": config.min_score, **_trained_on(tested)}
    figures |= {key: str(run.path) for key, run in runs_of.items()}
    what.write_json(f"{name}.json", figures)
    print_comparison(figures, config.data.split)
    _say_trained_on(tested, config.data.split)
    say(f"wrote   {what.path / name}.json and .csv")
    return figures


def _make_writable(folder: Path) -> None:
    """Refuse a run that nothing can be written into, before the work is done."""
    folder.mkdir(exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def _told_apart(config: EvalConfig) -> str:
    """What names the figures of other data and settings, so that none take another's place."""
    data = config.data
    place = data.root and home_path(data.root).resolve()
    shown = [place.name if place else "", "" if config.tta == "none" else config.tta]
    shown.append("leaky" if data.allow_leakage else "")
    shown.append("" if data.conflicts == "refuse" else data.conflicts)
    of_two = (config.one_step, config.min_score, config.full_image_fallback, config.nothing)
    hidden: tuple[object, ...] = (str(place or ""), data.reader, data.file, *of_two)
    if hidden != ("", None, None, None, None, False, None):
        if data.label or data.split_names:
            hidden += (data.label, sorted((data.split_names or {}).items()))
        hidden += tuple(filter(None, (data.single_class, data.difficult)))
        shown.append(hashlib.sha256(repr(hidden).encode()).hexdigest()[:6])
    return "".join(f"-{part}" for part in shown if part)


def _trained_on(tested: Tested | None) -> dict[str, int]:
    """How many of the photos tested on were trained on, for the figures' file, if any were."""
    return {"trained_on": tested.learnt} if tested is not None and tested.learnt else {}


def _say_trained_on(tested: Tested | None, split: str) -> None:
    from osprey.system.console import counted, say

    if _trained_on(tested):
        assert tested is not None
        say(
            f"{split:<7} trained on {tested.learnt} of these {counted(tested.count, 'photo')}: the "
            "figures flatter"
        )


def _samples(
    config: EvalConfig, data: DataConfig, run: RunFolder, *others: RunFolder
) -> Tested | None:
    """The run's own samples, or those of another data set; None where a DataModule has them.

    Args:
        config: What is asked.
        data: The run's settings, in which the folder of another data set takes its own's place.
        run: The run.
        others: Runs that answer as well.
    """
    if data.is_foreign:
        if config.data.root is not None:
            raise ConfigError(f"data.root: run '{run.path}' reads data by {data.target}")
        return None
    from osprey.system.console import say

    notices: list[str] = []
    others = tuple(other for other in others if other.path.resolve() != run.path.resolve())
    cache = Path(config.paths.cache)
    try:
        tested = samples_to_test(config.data, data, [run, *others], cache, notices)
    finally:
        for notice in notices:
            say(notice)
    data.root = config.data.root or data.root
    return tested
