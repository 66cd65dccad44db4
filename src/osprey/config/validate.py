"""Checks of a whole configuration: every combination that makes no sense, told before torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from osprey.config.schema import EvalConfig, TrainConfig
from osprey.errors import ConfigError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "task.loss": ("cross_entropy", "focal", "class_balanced"),
    "task.class_weights": ("none", "sqrt", "balanced"),
    "data.resize": ("squash", "crop", "letterbox"),
    "data.cache": ("none", "ram", "disk"),
    "data.sampler": ("uniform", "sqrt", "balanced"),
    "model.factory": ("simple_cnn", "timm", "ensemble", "detector"),
    "model.head_init": ("random", "linear_probe"),
    "model.combine": ("average", "weighted", "stacked"),
    "optimizer.name": ("adamw", "sgd"),
    "scheduler.name": ("cosine", "constant"),
    "trainer.accelerator": ("auto", "cpu", "gpu", "mps"),
    "trainer.strategy": ("single", "ddp", "fsdp"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "trainer.profiler": ("simple", "advanced", "pytorch"),
    "callbacks.averaging": ("none", "swa", "soup"),
    "logger.use": ("tensorboard", "wandb"),
}
TTA = ("none", "flip", "dihedral")  # test-time augmentation, of eval and predict
# Lowest and highest value, both allowed; None for no limit.
RANGES: dict[str, tuple[float | None, float | None]] = {
    "seed": (0, 2**32 - 1),
    "task.label_smoothing": (0, 0.99),
    "task.focal_gamma": (0, None),
    "data.val_fraction": (0, 0.9),
    "data.test_fraction": (0, 0.9),
    "data.folds": (2, None),
    "data.fold": (0, None),
    "data.overfit": (2, None),
    "data.min_score": (0, 1),
    "data.size": (8, 4096),
    "data.train_size": (8, 4096),
    "data.batch_size": (1, None),
    "data.eval_batch_size": (1, None),
    "data.num_workers": (0, 256),
    "data.render_count": (200, 100_000),
    "augmentation.mixup": (0, None),
    "augmentation.cutmix": (0, None),
    "augmentation.mix_probability": (0, 1),
    "augmentation.erasing": (0, 1),
    "augmentation.mosaic": (0, 1),
    "augmentation.multi_scale": (0, 0.5),
    "model.freeze_stages": (0, None),
    "model.probe_views": (1, 64),
    "optimizer.lr": (0, None),
    "optimizer.weight_decay": (0, None),
    "optimizer.momentum": (0, 0.9999),
    "optimizer.layer_decay": (0.01, 1),
    "scheduler.warmup": (0, 1),
    "scheduler.final_ratio": (0, 1),
    "trainer.max_epochs": (0, None),
    "trainer.gradient_clip": (0, None),
    "trainer.accumulate": (1, None),
    "trainer.limit_train_batches": (1, None),
    "trainer.limit_eval_batches": (1, None),
    "callbacks.early_stopping": (1, None),
    "callbacks.ema_decay": (0, 0.99999),
}


def _value(config: object, key: str) -> object:
    for part in key.split("."):
        config = getattr(config, part)
    return config


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ConfigError where ``value`` is none of ``choices``."""
    names = list(choices)
    if value not in names:
        raise ConfigError(
            f"{key}: unknown '{value}'{nearest(value, names)} (one of {', '.join(names)})"
        )


def check_range(key: str, number: object, low: float | None, high: float | None) -> None:
    """Raise ConfigError where a number that is set lies outside ``low`` to ``high``."""
    if number is None:
        return
    assert isinstance(number, int | float)
    below, above = low is not None and number < low, high is not None and number > high
    if below or above or number != number:
        limits = f"at least {low}" if high is None else f"{low} to {high}"
        raise ConfigError(f"{key}: {number} is out of range ({limits})")


def validate(config: TrainConfig) -> None:
    """Check what types alone cannot.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    for key, choices in CHOICES.items():
        value = _value(config, key)
        for word in value if isinstance(value, list) else [value]:
            if word is not None:
                check_choice(key, str(word), choices)
    for key, (low, high) in RANGES.items():
        check_range(key, _value(config, key), low, high)
    _check_model(config)
    _check_data(config)
    _check_trainer(config)
    _check_averaging(config)


def _check_model(config: TrainConfig) -> None:
    model = config.model
    if model.runs and model.factory != "ensemble":
        raise ConfigError("model.runs goes with model=ensemble")
    if model.backbone is not None and model.factory != "detector":
        raise ConfigError("model.backbone goes with a detector, such as model=fcos")
    if model.factory == "ensemble" and len(model.runs) < 2:
        raise ConfigError("an ensemble needs 2 finished runs or more: model.runs=[RUN,RUN]")
    if isinstance(model.freeze, str):
        check_choice("model.freeze", model.freeze, ("none", "backbone"))
    elif model.freeze < 0:
        raise ConfigError(f"model.freeze: {model.freeze} is not a number of epochs")
    file = Path(model.pretrained).expanduser() if isinstance(model.pretrained, str) else None
    # A run that goes on takes its weights from its checkpoint.
    # Of transformers' models they are a folder.
    if file is not None and config.resume is None and not file.exists():
        beside = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = nearest(file.name, beside)
        raise ConfigError(f"model.pretrained: there is no file '{model.pretrained}'{hint}")
    if model.factory == "simple_cnn" and model.pretrained is True:
        raise ConfigError(
            "simple_cnn has no pretrained weights: set model.pretrained=false or =PATH"
        )
    untrained = model.pretrained is False
    if untrained and model.freeze not in ("none", 0):
        raise ConfigError(
            f"model.freeze={model.freeze} would hold random weights: give model.pretrained=PATH "
            "or true"
        )
    if untrained and model.freeze_batchnorm and config.from_run is None:
        raise ConfigError(
            "model.freeze_batchnorm=true would hold statistics that model.pretrained=false has "
            "not got: add model.freeze_batchnorm=false"
        )
    if untrained and model.head_init == "linear_probe":
        raise ConfigError("model.head_init=linear_probe needs a pretrained backbone")


def _check_data(config: TrainConfig) -> None:
    data = config.data
    if data.folds is not None and data.fold >= data.folds:
        raise ConfigError(f"data.fold: {data.fold} of {data.folds} folds; it counts from 0")
    if data.folds is None and data.fold:
        raise ConfigError(f"data.fold={data.fold} needs data.folds")
    if (data.val_fraction or 0) + (data.test_fraction or 0) >= 1:
        raise ConfigError("data.val_fraction and data.test_fraction leave nothing to train on")
    for key in ("mean", "std"):
        values = getattr(data, key)
        if values is not None and len(values) != 3:
            raise ConfigError(f"data.{key}: three numbers are needed, for red, green and blue")


def _check_trainer(config: TrainConfig) -> None:
    trainer = config.trainer
    idle = config.model.head_init != "linear_probe" and config.model.factory != "ensemble"
    if trainer.max_epochs == 0 and idle:
        raise ConfigError(
            "trainer.max_epochs=0 trains nothing: set 1 or more, or model.head_init=linear_probe "
            "to fit the head alone"
        )
    for key in ("channels_last", "compile"):
        value = getattr(trainer, key)
        if isinstance(value, str) and value != "auto":
            raise ConfigError(f"trainer.{key}: '{value}' is not auto, true or false")
    if isinstance(trainer.devices, str) and trainer.devices != "auto":
        raise ConfigError(f"trainer.devices: '{trainer.devices}' is not a number or 'auto'")
    if isinstance(trainer.devices, int) and trainer.devices < 1:
        raise ConfigError(f"trainer.devices: {trainer.devices} is out of range (at least 1)")
    if trainer.strategy == "single" and trainer.devices != 1:
        raise ConfigError(f"trainer.devices={trainer.devices} needs trainer=ddp or trainer=fsdp")
    if trainer.strategy == "fsdp" and trainer.accelerator != "gpu":
        raise ConfigError("trainer.strategy=fsdp needs trainer.accelerator=gpu")
    if trainer.strategy == "fsdp" and trainer.gradient_clip is not None:
        raise ConfigError("trainer.gradient_clip cannot be used with trainer=fsdp: set it to null")
    if trainer.strategy == "fsdp" and config.callbacks.ema_decay is not None:
        raise ConfigError("callbacks.ema_decay cannot be used with trainer=fsdp: use trainer=ddp")
    if trainer.precision == "16-mixed" and trainer.accelerator == "cpu":
        raise ConfigError("trainer.precision=16-mixed needs a GPU: use bf16-mixed or 32-true")


def _check_averaging(config: TrainConfig) -> None:
    kind = config.callbacks.averaging
    if kind != "none" and config.trainer.max_epochs < 2:
        raise ConfigError(
            f"callbacks.averaging={kind} needs the weights of 2 epochs or more: raise "
            "trainer.max_epochs, or set it to none"
        )
    if kind != "none" and config.model.factory == "ensemble":
        raise ConfigError(
            f"callbacks.averaging={kind} cannot be used with model=ensemble: nothing is trained"
        )
    if kind != "none" and config.trainer.strategy == "fsdp":
        raise ConfigError(
            f"callbacks.averaging={kind} cannot be used with trainer=fsdp: use trainer=ddp"
        )


def validate_eval(config: EvalConfig) -> None:
    """Check an evaluation's settings.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    check_choice("checkpoint", config.checkpoint, ("best", "last"))
    check_choice("tta", config.tta, TTA)
    check_choice("data.split", config.data.split, ("train", "val", "test"))
    check_choice("accelerator", config.accelerator, CHOICES["trainer.accelerator"])
    for key in ("batch_size", "num_workers"):
        check_range(key, getattr(config, key), *RANGES[f"data.{key}"])
    check_range("min_score", config.min_score, 0, 1)
    for key in ("reader", "file"):
        if getattr(config.data, key) is not None and config.data.root is None:
            raise ConfigError(f"data.{key} is of another data set: name its folder with data.root")
    of_two = {
        "one_step": config.one_step is not None,
        "min_score": config.min_score is not None,
        "full_image_fallback": config.full_image_fallback,
        "nothing": config.nothing is not None,
    }
    for key in (key for key, given in of_two.items() if given and config.detector is None):
        raise ConfigError(f"{key} is of two steps: name a detector's run with detector=RUN")
    if config.detector is not None and config.checkpoint != "best":
        raise ConfigError("two steps are tested with checkpoint=best")
