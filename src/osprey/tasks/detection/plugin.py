"""The task of object detection."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from osprey.errors import ConfigError, DataError
from osprey.system.console import counted
from osprey.tasks.detection.label_tools import BoxLabelTools
from osprey.tasks.plugin import Decision, MetricSpec, ReportPage

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from osprey.config.schema import AugmentationConfig, ModelConfig, TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.imaging import Preprocess
    from osprey.inference.card import Card
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.reports.run_record import RunRecord
    from osprey.runs.folder import RunFolder
    from osprey.tasks.detection.predictor import BoxPredictor
    from osprey.tasks.specs import ChangedGroup, PairedDifference

_DETECTORS = "fcos, retinanet, fasterrcnn_mobilenet, fasterrcnn_resnet50 or ssdlite"

_NO_BOXES = (
    "task=detection needs boxes, and data={} has labels alone: use data=voc, coco, yolo, "
    "megadetector, boxes or harbour_boxes"
)


class DetectionTask(BoxLabelTools):
    """Object detection: boxes and their classes on each photo."""

    name = "detection"
    noun = "a detector"
    metrics = (MetricSpec("map", "mAP"), MetricSpec("ap50", "AP50"), MetricSpec("ap75", "AP75"))
    logs = (
        "train/loss",
        *(f"val/{n}" for n in ("ap50", "ap75", "ap_large", "ap_medium", "ap_small", "map")),
    )
    compared = ("n", "boxes")
    target = "boxes"
    own_settings: ClassVar[Mapping[str, str | int | float]] = {
        "augmentation.mosaic": 0,
        "augmentation.multi_scale": 0,
    }
    own_factories = ("detector",)
    supports_from_run = True
    supports_video = True
    supports_boxes = True
    formats = ("json", "megadetector", "coco", "csv")
    reader = "osprey.tasks.detection.reader.BoxReader"
    output_names = ("scores", "boxes")

    def check_config(self, config: TrainConfig) -> None:
        """Check that the model is a detector and photos are not cropped."""
        if config.model.factory not in self.own_factories and not config.model.is_foreign:
            raise ConfigError(
                f"task=detection needs a detector, and '{config.model.name}' is none: "
                f"model={_DETECTORS}"
            )
        if config.data.resize == "crop":
            raise ConfigError("data.resize=crop would cut boxes off: use letterbox or squash")

    def refuse_factory(self, model: ModelConfig) -> str:
        """The error of other tasks for a detector."""
        return f"model={model.name} finds boxes: add task=detection"

    def check_data(self, config: TrainConfig, manifest: Manifest) -> None:
        """Check that photos have boxes, some of them in train and in val."""
        if manifest.target.name != self.target:
            raise DataError(_NO_BOXES.format(config.data.name))
        counts = manifest.box_counts()
        for split in ("train", "val"):
            if not sum(counts[split].values()):
                raise DataError(
                    f"the '{split}' split has no boxes: nothing to learn or to check; label boxes "
                    "in it, or have the splits cut anew (data.given_split=false)"
                )

    def fit_to_data(
        self, config: TrainConfig, manifest: Manifest, unset: Collection[str]
    ) -> list[Decision]:
        """The network's size and rates, the input's side and the schedule, by the boxes."""
        from osprey.tasks.detection.recipe import decide, facts_of

        if "model.backbone" in unset and isinstance(config.model.pretrained, str):
            from osprey.models.detection.weights import are_of_a_detector

            if are_of_a_detector(config.model.pretrained):  # on the backbone that it comes with
                unset = set(unset) - {"model.backbone"}
        return decide(config, facts_of(manifest, config.data.resize), unset)

    def describe_data(self, manifest: Manifest) -> list[str]:
        """Number of boxes per split."""
        totals = (f"{s} {sum(found.values())}" for s, found in manifest.box_counts().items())
        return [f"boxes   {', '.join(totals)}"]

    def check_augmentation(self, augmentation: AugmentationConfig) -> None:
        """Check that every step can transform boxes."""
        from osprey.augmentation import check_policy

        check_policy(augmentation.steps, boxes=True)

    def augmentation(
        self, augmentation: AugmentationConfig, preprocess: Preprocess
    ) -> tuple[Any, int]:
        """The policy, applied to mosaics for a fraction of the photos."""
        from osprey.augmentation import BoxAugmentation, BoxPolicy

        policy = BoxPolicy(augmentation.steps, preprocess)
        mosaics = (augmentation.mosaic, augmentation.mosaic_until)
        return BoxAugmentation(policy, *mosaics), policy.decode_side()

    def build_module(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        config: TrainConfig,
        manifest: Manifest | None,
    ) -> pl.LightningModule:
        """The module.

        Raises:
            ConfigError: A network of the user's own is not a detector.
        """
        from osprey.models.foreign import is_foreign_detector
        from osprey.tasks.detection.module import Detection
        from osprey.tasks.registry import module_class
        from osprey.tasks.settings import TrainingSettings

        if config.model.is_foreign and not is_foreign_detector(model):
            raise ConfigError(
                f"model._target_: '{config.model.target}' has no losses(images, targets), which "
                "task=detection trains by (docs/extend.md)"
            )
        module = module_class(config.task, Detection)
        settings, scale = TrainingSettings.from_config(config), config.augmentation.multi_scale
        return module(model, metadata, settings, scale, **config.task.args)

    def finalize(
        self, run: RunFolder, config: TrainConfig, manifest: Manifest, combined: Any = None
    ) -> dict[str, Any]:
        """Choose each class's threshold on validation and write it to best.ckpt."""
        from osprey.tasks.detection.evaluate import validate
        from osprey.tasks.evaluation import load_for_testing

        module, settings = load_for_testing(run.best, config)
        return validate(run, module, settings, manifest)

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Manifest,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Metrics of a checkpoint on a split; writes every detection as CSV."""
        from osprey.tasks.detection import evaluate
        from osprey.tasks.evaluation import load_for_testing

        module, settings = load_for_testing(checkpoint, config)
        return evaluate.test(module, settings, manifest, split, predictions)

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The main metrics of one split."""
        sizes = ", ".join(
            f"{name} {figures[f'ap_{name}']:.3f}"
            for name in ("small", "medium", "large")
            if figures[f"ap_{name}"] is not None
        )
        counts = f"n={counted(figures['n'], 'photo')}, {counted(figures['boxes'], 'box')}"
        if beyond := figures.get("beyond"):
            counts += f", {beyond} of them beyond the 100 of a class and photo that AP counts"
        if figures["map"] is None:
            empty = figures["empty"]
            alarms = f"false alarms on {empty['with_false_alarm']} of {empty['n']} photos"
            return f"no boxes, so no AP; {alarms} ({counts})"
        return (
            f"AP50 {figures['ap50']:.3f}, AP75 {figures['ap75']:.3f}, mAP {figures['map']:.3f} "
            f"({sizes}) ({counts})"
        )

    def per_class_table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print AP and metrics at the threshold of each class; of many classes the extremes."""
        from osprey.tasks.detection.class_table import print_table

        print_table(rows)

    def blind_figures(self, train: Manifest, part: Manifest) -> dict[str, Any]:
        """Those of boxes that are the same in every photo."""
        from osprey.tasks.detection.blind import blind_figures

        return blind_figures(train, part)

    def remarks(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """What boxes score that are the same in every photo, and whether they would do as well."""
        from osprey.tasks.detection.chance import blind_line, chance_line

        return {"blind": blind_line(figures), "note": chance_line(figures)}

    def settings_line(self, summary: Mapping[str, Any]) -> str:
        """The thresholds."""
        chosen = ", ".join(f"{name} {value:.2f}" for name, value in summary["thresholds"].items())
        return f"thresholds {chosen}"

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write the mosaic of training photos and the gallery of mistakes into the run folder."""
        from osprey.tasks.detection.pictures import draw_pictures
        from osprey.tasks.settings import DataSettings

        draw_pictures(run, DataSettings.from_config(config), manifest)

    def report(self, record: RunRecord) -> ReportPage:
        """Precision and recall, counts, and mistakes."""
        from osprey.tasks.detection.report.record import read
        from osprey.tasks.detection.report.sections import sections

        page = Path(__file__).with_name("report") / "page"
        return ReportPage(page, sections(read(record)))

    def paired_differences(
        self, first: RunFolder, second: RunFolder, split: str, keys: Collection[str]
    ) -> dict[str, PairedDifference]:
        """By both runs' boxes on the same photos."""
        from osprey.tasks.detection.paired import paired_differences

        return paired_differences(first, second, split, keys)

    def changed_photos(self, first: RunFolder, second: RunFolder, split: str) -> list[ChangedGroup]:
        """By the subjects found at each run's thresholds."""
        from osprey.tasks.detection.changed import changed_photos

        return changed_photos(first, second, split)

    def exported(self, model: nn.Module, metadata: CheckpointMetadata) -> nn.Module:
        """The detector up to its thresholds: scores and box of every place."""
        from osprey.models.detection.decoding import places_of

        return places_of(model, int(metadata.preprocess["size"]))

    def reader_options(self, network: nn.Module) -> dict[str, Any]:
        """How boxes are chosen from the places."""
        return dict(cast(Any, network).options)

    def uncut(self, card: Card) -> Card:
        """The card without thresholds: metrics are of all boxes."""
        return replace(card, thresholds=[0.0] * len(card.classes))

    def bundle_figures(
        self, card: Card, answers: Sequence[Any], part: Manifest
    ) -> dict[str, float]:
        """COCO's metrics."""
        from osprey.tasks.detection.bundles import figures

        return figures(card, answers, part)

    def same_answer(self, card: Card, one: Any, other: Any) -> bool:
        """Whether both find the same boxes above the thresholds."""
        from osprey.tasks.detection.bundles import same_boxes

        return same_boxes(card, one, other)

    def comparable(self, card: Card, outputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Scores and boxes; of queries the sorted scores."""
        from osprey.tasks.detection.bundles import comparable

        return comparable(card, outputs)

    def predictor(
        self, checkpoint: Path, device: torch.device | None = None, **options: Any
    ) -> BoxPredictor:
        """A `BoxPredictor`; options: ``min_score``."""
        from osprey.tasks.detection.predictor import BoxPredictor

        return BoxPredictor(checkpoint, device, **options)

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path]) -> int:
        """Print one photo's boxes, or write annotations of many."""
        from osprey.tasks.detection.predict.photos import predict_boxes

        return predict_boxes(arguments, run, photos)

    def predict_video(self, arguments: argparse.Namespace, run: RunFolder) -> int:
        """Detect objects on each frame."""
        from osprey.tasks.detection.predict.video import open_source, predict_video

        return predict_video(arguments, run, open_source(arguments))
