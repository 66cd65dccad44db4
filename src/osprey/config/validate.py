"""Combinations of settings that make no sense, refused before torch is imported."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from osprey.config.fields import check_choice, check_fields
from osprey.config.schema import (
    CallbacksConfig,
    DataConfig,
    EvalConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
    TrainerConfig,
)
from osprey.config.sources import sources_of
from osprey.errors import ConfigError, nearest
from osprey.system.paths import home_path


def validate(config: TrainConfig) -> None:
    """Check what types alone cannot.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    check_fields(config)
    config.task.check()
    for key, choices in _WORDS.items():
        _check_word(key, attrgetter(key)(config), choices)
    _check_early_stopping(config.callbacks.early_stopping)
    _check_model(config.model, resumes=config.resume is not None)
    _check_start(config.model, from_run=config.from_run is not None)
    check_data(config.data)
    _check_trainer(config.trainer, config.model)
    if config.trainer.strategy == "fsdp":
        _check_fsdp(config.trainer, config.callbacks, config.optimizer)
    if config.trainer.precision == "16-mixed" and config.trainer.accelerator == "cpu":
        raise ConfigError("trainer.precision=16-mixed needs a GPU: use bf16-mixed or 32-true")
    if config.cost.max_usd is not None and not config.cost.usd_per_hour:
        raise ConfigError("cost.max_usd needs to know what an hour costs: add cost.usd_per_hour")
    if config.callbacks.averaging != "none":
        _check_averaging(config.callbacks.averaging, config.trainer, config.model)


# Settings that are a word of Osprey's or a node of the user's own.
_WORDS = {
    "data.sampler": ("uniform", "sqrt", "balanced"),
    "trainer.strategy": ("single", "ddp", "fsdp"),
    "trainer.profiler": ("simple", "advanced", "pytorch"),
}


def _check_word(key: str, value: Any, choices: tuple[str, ...]) -> None:
    if value is not None and not isinstance(value, dict):
        check_choice(key, str(value), choices)


def _check_early_stopping(stopping: Any) -> None:
    if stopping is not None and not isinstance(stopping, dict | int):
        raise ConfigError(f"callbacks.early_stopping: '{stopping}' is not a whole number")
    if isinstance(stopping, int) and stopping < 1:
        raise ConfigError(f"callbacks.early_stopping: {stopping} is out of range (at least 1)")


def _check_model(model: ModelConfig, *, resumes: bool) -> None:
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
    file = home_path(model.pretrained) if isinstance(model.pretrained, str) else None
    # A run that goes on takes its weights from its checkpoint.
    # Of transformers' models they are a folder.
    if file is not None and not resumes and not file.exists():
        beside = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = nearest(file.name, beside)
        if not hint and model.factory in ("timm", "detector"):
            hint = "; model.pretrained=true downloads timm's own weights"
        raise ConfigError(f"model.pretrained: there is no file '{model.pretrained}'{hint}")
    if model.factory == "simple_cnn" and model.pretrained is True:
        raise ConfigError(
            "simple_cnn has no pretrained weights: set model.pretrained=false or =PATH"
        )


def _check_start(model: ModelConfig, *, from_run: bool) -> None:
    """What random weights cannot do, all of it in one line: a recipe sets several at once."""
    if model.pretrained is not False:
        return
    mended = []
    if model.freeze not in ("none", 0):
        mended.append("model.freeze=none")
    if model.freeze_stages and not from_run:
        mended.append("model.freeze_stages=0")
    if model.freeze_batchnorm and not from_run:
        mended.append("model.freeze_batchnorm=false")
    if model.head_init == "linear_probe":
        mended.append("model.head_init=random")
    if mended:
        raise ConfigError(
            "model.pretrained=false leaves random weights, which are neither held nor probed: add "
            f"{' '.join(mended)}, or give model.pretrained=PATH or true"
        )


def check_data(data: DataConfig) -> None:
    """Check what of the data settings types alone cannot, as `validate`."""
    sources_of(data)
    if data.balance_by and data.sampler not in ("sqrt", "balanced"):
        raise ConfigError(
            "data.balance_by goes with data.sampler=balanced or sqrt, which say how far its "
            "columns are evened out"
        )
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
    ends = data.value_range
    if ends is not None and (len(ends) != 2 or not ends[0] < ends[1]):
        raise ConfigError(
            "data.value_range: two numbers are needed, the samples that are black and white, such "
            "as data.value_range=[0,4095]"
        )


def _check_trainer(trainer: TrainerConfig, model: ModelConfig) -> None:
    idle = model.head_init != "linear_probe" and model.factory != "ensemble"
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


def _check_fsdp(
    trainer: TrainerConfig, callbacks: CallbacksConfig, optimizer: OptimizerConfig
) -> None:
    if trainer.accelerator != "gpu":
        raise ConfigError("trainer.strategy=fsdp needs trainer.accelerator=gpu")
    if trainer.gradient_clip is not None:
        raise ConfigError("trainer.gradient_clip cannot be used with trainer=fsdp: set it to null")
    if callbacks.ema_decay is not None:
        raise ConfigError("callbacks.ema_decay cannot be used with trainer=fsdp: use trainer=ddp")
    if optimizer.layer_decay < 1:
        raise ConfigError("optimizer.layer_decay cannot be used with trainer=fsdp: use trainer=ddp")


def _check_averaging(kind: str, trainer: TrainerConfig, model: ModelConfig) -> None:
    if trainer.max_epochs < 2:
        raise ConfigError(
            f"callbacks.averaging={kind} needs the weights of 2 epochs or more: raise "
            "trainer.max_epochs, or set it to none"
        )
    if model.factory == "ensemble":
        raise ConfigError(
            f"callbacks.averaging={kind} cannot be used with model=ensemble: nothing is trained"
        )
    if trainer.strategy == "fsdp":
        raise ConfigError(
            f"callbacks.averaging={kind} cannot be used with trainer=fsdp: use trainer=ddp"
        )


def validate_eval(config: EvalConfig) -> None:
    """Check an evaluation's settings.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    check_fields(config)
    for key in ("reader", "file", "label", "split_names", "single_class", "difficult"):
        if getattr(config.data, key) is not None and config.data.root is None:
            raise ConfigError(f"data.{key} is of another data set: name its folder with data.root")
    two_steps = {
        "one_step": config.one_step is not None,
        "min_score": config.min_score is not None,
        "full_image_fallback": config.full_image_fallback,
        "nothing": config.nothing is not None,
    }
    for key in (key for key, given in two_steps.items() if given and config.detector is None):
        raise ConfigError(f"{key} goes with two steps: name a detector's run with detector=RUN")
    if config.detector is not None and config.checkpoint != "best":
        raise ConfigError("two steps are tested with checkpoint=best")
