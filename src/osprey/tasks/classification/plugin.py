"""The task of image classification."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from osprey.system.console import say_classes
from osprey.tasks.classification.label_tools import ClassLabelTools
from osprey.tasks.plugin import MetricSpec, ReportPage

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch
    from torch import nn

    from osprey.config.schema import ModelConfig, TrainConfig
    from osprey.data.datamodule import DataModule
    from osprey.data.manifest import Manifest
    from osprey.inference.card import Card
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.reports.run_record import RunRecord
    from osprey.runs.folder import RunFolder
    from osprey.tasks.classification.predictor import Predictor
    from osprey.tasks.classification.reader import Prediction
    from osprey.tasks.specs import ChangedGroup, PairedDifference


class ClassificationTask(ClassLabelTools):
    """Image classification: one label per photo."""

    name = "classification"
    noun = "a classifier"
    # Macro-F1 first: 82% top-1 has coexisted with a macro-F1 of 0.44.
    metrics = (
        MetricSpec("macro_f1", "macro-F1"),
        MetricSpec("top1", "top-1"),
        MetricSpec("log_loss", "log loss", higher_is_better=False),
    )
    logs = ("train/loss", *(f"val/{n}" for n in ("ece", "log_loss", "macro_f1", "top1", "top5")))
    compared = ("n", "ece")
    target = "labels"
    min_classes = 2
    own_settings: ClassVar[Mapping[str, str | int | float]] = {
        "callbacks.averaging": "none",
        "model.head_init": "random",
        "augmentation.mixup": 0,
        "augmentation.cutmix": 0,
        "augmentation.erasing": 0,
    }
    own_factories = ("ensemble",)  # whose members' probabilities are combined
    supports_from_run = True
    supports_tta = True
    formats = ("csv", "json", "submission", "ids")
    columns = ("file", "label", "score", "failure")
    reader = "osprey.tasks.classification.reader.ScoreReader"
    output_names = ("logits",)

    def check_data(self, config: TrainConfig, manifest: Manifest) -> None:
        """Check that photos have labels, and that named classes are among theirs."""
        super().check_data(config, manifest)
        config.task.check_classes(manifest.classes)

    def build_module(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        config: TrainConfig,
        manifest: Manifest | None,
    ) -> pl.LightningModule:
        """The module; the loss gets the number of training photos per class."""
        import numpy as np

        from osprey.tasks.classification.module import Classification
        from osprey.tasks.registry import module_class
        from osprey.tasks.settings import TrainingSettings

        counts = None
        if manifest is not None:
            trained = manifest.counts()["train"]
            counts = np.array([trained.get(name, 0) for name in metadata.classes])
        settings, task = TrainingSettings.from_config(config), config.task
        module = module_class(task, Classification)
        return module(model, metadata, settings, task, config.augmentation, counts, **task.args)

    def prepare_head(
        self,
        module: pl.LightningModule,
        data: DataModule,
        model: ModelConfig,
        device: torch.device,
        *,
        verbose: bool = True,
    ) -> None:
        """Fit the head on frozen features if ``model.head_init`` is ``linear_probe``."""
        if model.head_init != "linear_probe":
            return
        from osprey.tasks.classification.module import Classification
        from osprey.tasks.classification.probe.features import FeatureStore
        from osprey.tasks.classification.probe.linear_probe import fit_head

        assert isinstance(module, Classification)
        store = FeatureStore(module.model, module.metadata.model, data, device, data.cache)
        fit_head(module, store, data.probabilities, views=model.probe_views, verbose=verbose)

    def finalize(
        self, run: RunFolder, config: TrainConfig, manifest: Manifest, combined: Any = None
    ) -> dict[str, Any]:
        """Fit the temperature on validation (`calibrate`)."""
        from osprey.tasks.classification.callbacks import calibrate
        from osprey.tasks.classification.probe.known import known_outputs
        from osprey.tasks.evaluation import load_for_testing

        module, settings = load_for_testing(run.best, config)
        if combined is not None:
            found = calibrate(run, module, settings, manifest, combined.val)
            return {**found, "ensemble": combined.metadata}
        part, cache = manifest.split("val"), Path(config.paths.cache)
        outputs = known_outputs(module, settings, part, config.model, cache)
        return calibrate(run, module, settings, manifest, outputs)

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Manifest,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Metrics of a checkpoint on a split; writes each photo's probabilities as CSV."""
        from osprey.tasks.classification import evaluate
        from osprey.tasks.classification.probe.known import known_outputs
        from osprey.tasks.evaluation import load_for_testing

        module, settings = load_for_testing(checkpoint, config)
        outputs = None
        if tta == "none":
            part, cache = manifest.split(split), Path(config.paths.cache)
            outputs = known_outputs(module, settings, part, config.model, cache)
        return evaluate.test(module, settings, manifest, split, predictions, tta, outputs)

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The main metrics of one split."""
        top5 = f", top-5 {figures['top5']:.3f}" if "top5" in figures else ""
        return (
            f"top-1 {figures['top1']:.3f}{top5}, macro-F1 {figures['macro_f1']:.3f}, "
            f"log loss {figures['log_loss']:.3f}, ECE {figures['ece']:.3f} (n={figures['n']})"
        )

    def per_class_table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print precision, recall and F1 of each class with its n; of many classes the extremes."""
        say_classes(
            rows,
            "f1",
            33,
            "precision  recall     F1",
            lambda row: f"{row['precision']:>9.3f}  {row['recall']:>6.3f}  {row['f1']:>5.3f}",
        )

    def settings_line(self, summary: Mapping[str, Any]) -> str:
        """The fitted temperature."""
        return f"temperature {summary['temperature']:.2f}"

    def blind_figures(self, train: Manifest, part: Manifest) -> dict[str, Any]:
        """Those of the training split's class frequencies."""
        from osprey.tasks.classification.blind import blind_figures

        return blind_figures(train, part)

    def remarks(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """What class frequencies score, and whether the commonest class would do as well."""
        from osprey.tasks.classification.chance import blind_line, chance_line

        return {"blind": blind_line(figures), "note": chance_line(figures)}

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write the mosaic of training photos, the gallery of mistakes and a probe's map."""
        from osprey.tasks.classification.feature_map import draw_map
        from osprey.tasks.classification.pictures import draw_pictures
        from osprey.tasks.settings import DataSettings

        settings = DataSettings.from_config(config)
        if config.trainer.max_epochs == 0 and config.model.probe_views == 1:
            plain = replace(config.augmentation, steps=[])  # a probe saw them as they are
            settings = replace(settings, augmentation=plain)
        draw_pictures(run, settings, manifest, config.trainer.rewrites)
        draw_map(run, config, manifest)

    def report(self, record: RunRecord) -> ReportPage:
        """Confusion matrix, calibration and mistakes."""
        from osprey.tasks.classification.report.record import read
        from osprey.tasks.classification.report.sections import sections

        page = Path(__file__).with_name("report") / "page"
        return ReportPage(page, sections(read(record)))

    def paired_differences(
        self, first: RunFolder, second: RunFolder, split: str, keys: Collection[str]
    ) -> dict[str, PairedDifference]:
        """By both runs' answers to the same photos."""
        from osprey.tasks.classification.paired import paired_differences

        return paired_differences(first, second, split, keys)

    def changed_answers(
        self, first: RunFolder, second: RunFolder, split: str
    ) -> list[dict[str, str]]:
        """By the class that each run names."""
        from osprey.tasks.classification.paired import changed_answers

        return changed_answers(first, second, split)

    def changed_photos(self, first: RunFolder, second: RunFolder, split: str) -> list[ChangedGroup]:
        """Right before, wrong before, and wrong twice."""
        from osprey.tasks.classification.changed import changed_photos

        return changed_photos(first, second, split)

    def with_features(
        self, network: nn.Module, metadata: CheckpointMetadata, count: int
    ) -> nn.Module:
        """By further rows of the last layer."""
        from osprey.tasks.classification.features import with_features

        size = int(metadata.preprocess["size"])
        return with_features(network, len(metadata.classes), count, size)

    def bundle_figures(
        self, card: Card, answers: Sequence[Prediction], part: Manifest
    ) -> dict[str, float]:
        """Top-1, macro-F1, log loss and ECE of the calibrated probabilities."""
        import numpy as np
        import torch

        from osprey.tasks.classification.metrics import scalar_metrics

        number = {name: i for i, name in enumerate(card.classes)}
        target = torch.tensor([number[label] for label in part.table["label"]])
        metrics = scalar_metrics(len(card.classes))
        found = [answer.probabilities for answer in answers if answer.probabilities is not None]
        metrics.update(torch.from_numpy(np.stack(found)), target)
        return {name: float(value) for name, value in metrics.compute().items()}

    def predictor(
        self, checkpoint: Path, device: torch.device | None = None, **options: Any
    ) -> Predictor:
        """A `Predictor`; options: ``tta``."""
        from osprey.tasks.classification.predictor import Predictor

        return Predictor(checkpoint, device, **options)

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path]) -> int:
        """Print one photo's class, or write a table of many."""
        from osprey.tasks.classification.predict import predict_classes

        return predict_classes(arguments, run, photos, self.columns)
