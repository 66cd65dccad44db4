"""What goes with which task."""

from __future__ import annotations

from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError

_DETECTORS = "fcos, retinanet, fasterrcnn_mobilenet, fasterrcnn_resnet50 or ssdlite"
# Settings that only one task knows, and the value that leaves them out.
_ONLY: dict[str, dict[str, str | int]] = {
    "classification": {
        "callbacks.averaging": "none",
        "model.head_init": "random",
        "augmentation.mixup": 0,
        "augmentation.cutmix": 0,
        "augmentation.erasing": 0,
    },
    "detection": {"augmentation.mosaic": 0, "augmentation.multi_scale": 0},
}


def validate_task(config: TrainConfig) -> None:
    """Refuse a model or a setting that belongs to another task.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    detector = config.model.factory == "detector"
    if config.model.backbone is not None and not detector:
        raise ConfigError("model.backbone goes with a detector, such as model=fcos")
    for task, settings in _ONLY.items():
        for key, without in settings.items():
            group, name = key.split(".")
            if task != config.task.name and getattr(getattr(config, group), name) != without:
                raise ConfigError(f"{key} goes with task={task}: set it to {without}")
    if config.task.name != "detection":
        if detector:
            raise ConfigError(f"model={config.model.name} finds boxes: add task=detection")
        return
    if not detector:
        raise ConfigError(
            f"task=detection needs a detector, and '{config.model.name}' is none: "
            f"model={_DETECTORS}"
        )
    for key in config.task.args:
        raise ConfigError(f"task.{key} goes with task=classification: leave it out")
    if config.data.resize == "crop":
        raise ConfigError("data.resize=crop would cut boxes off: use letterbox or squash")
    if config.from_run is not None:
        raise ConfigError(
            "from=RUN goes with task=classification: to train a detector for longer use resume=RUN"
        )
