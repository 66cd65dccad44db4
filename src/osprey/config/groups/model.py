"""Settings of the ``model``, ``optimizer`` and ``scheduler`` groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.fields import setting

# The short names of Osprey's own networks: what checkpoints call them.
FACTORIES = {
    "simple_cnn": "osprey.models.simple_cnn.SimpleCNN",
    "timm": "osprey.models.timm_models.create_timm",
    "ensemble": "osprey.models.ensemble.Ensemble",
    "detector": "osprey.models.detection.build.create_detector",
}
_SHORT = {target: name for name, target in FACTORIES.items()}


@dataclass
class ModelConfig:
    """Which network, which weights it starts from, and what of it may move."""

    target: str = setting(FACTORIES["timm"], "a torch.nn.Module's class, or a function giving one")
    name: str = setting(help="the network's name, for people and for timm")
    backbone: str | None = setting(None, "of detectors: any of timm's; null: torchvision's own")
    pretrained: bool | str = setting(True, "true: download | false | PATH of .pth or .safetensors")
    freeze: int | str = setting("none", "none | backbone | N: the backbone rests for N epochs")
    freeze_stages: int = setting(0, "the first N stages rest for the whole run", low=0)
    freeze_batchnorm: bool = setting(False, "hold BatchNorm statistics for the whole run")
    suggested_lr: float = setting(3e-4, "what optimizer=adamw takes unless told otherwise", low=0)
    head_init: str = setting(
        "random",
        "linear_probe: a linear head fitted on features first",
        choices=("random", "linear_probe"),
    )
    probe_views: int = setting(
        1,
        "linear_probe: looks at each training photo, those after the first augmented",
        low=1,
        high=64,
    )
    options: dict[str, Any] | None = setting(None, "arguments of the network: {drop_rate: 0.1}")
    runs: list[str] = setting([], "model=ensemble: the runs it is made of")
    combine: str = setting(
        "average",
        "model=ensemble: how answers become one",
        choices=("average", "weighted", "stacked"),
    )
    args: dict[str, Any] = setting({})

    @property
    def factory(self) -> str:
        """What checkpoints call the network's maker: a short name of Osprey's, or its target."""
        return _SHORT.get(self.target, self.target)

    @property
    def is_foreign(self) -> bool:
        """Whether the network is none of Osprey's own."""
        return self.target not in _SHORT


@dataclass
class OptimizerConfig:
    """The optimiser and its rates."""

    target: str = setting("osprey.tasks.optim.create_optimizer", "a torch.optim.Optimizer's class")
    name: str = setting("adamw", "any of torch's and timm's")
    lr: float = setting("${model.suggested_lr}", "peak learning rate", low=0)
    weight_decay: float = setting(0.05, "of weights; biases and norms have none", low=0)
    momentum: float = setting(0.9, "momentum, or Adam's beta 1", low=0, high=0.9999)
    layer_decay: float = setting(1.0, "below 1: earlier layers learn more slowly", low=0.01, high=1)
    args: dict[str, Any] = setting({})


@dataclass
class SchedulerConfig:
    """How the learning rate moves over the whole run."""

    target: str = setting(
        "osprey.tasks.optim.create_scheduler", "a scheduler's class; total steps are filled in"
    )
    name: str = setting("cosine", "cosine, constant, or any of torch's")
    warmup: float = setting(0.0, "share of all steps with a rising rate", low=0, high=1)
    final_ratio: float = setting(0.0, "last rate over peak rate", low=0, high=1)
    interval: str = setting("step", "when it moves", choices=("step", "epoch"))
    args: dict[str, Any] = setting({})
