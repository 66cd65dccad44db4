"""Settings of ``trainer``, ``callbacks``, ``logger``, ``paths``, ``cost`` and ``extras``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.fields import setting


@dataclass
class TrainerConfig:
    """What Lightning's Trainer gets; any further argument of it may be added."""

    target: str = setting("pytorch_lightning.Trainer", "Lightning's Trainer, or a subclass of it")
    accelerator: str = setting(
        "auto", "what computes; auto: a GPU if there is one", choices=("auto", "cpu", "gpu", "mps")
    )
    devices: int | str = setting(1, "a number, or auto")
    num_nodes: int = setting(1, "machines; more than one is started by torchrun or srun", low=1)
    strategy: Any = setting("single", "single | ddp | fsdp, or _target_ of a strategy")
    autotune: bool = setting(
        True, "time what is left on auto and take the fastest that computes the same"
    )
    precision: str = setting(
        "auto",
        "of numbers; auto: what the device is fast with",
        choices=("auto", "32-true", "bf16-mixed", "16-mixed"),
    )
    channels_last: bool | str = setting("auto", "auto | true | false")
    compile: bool | str = setting(
        "auto", "auto | true | false: torch.compile; auto tries it on a GPU only"
    )
    max_epochs: int = setting(12, "passes over the training photos", low=0)
    gradient_clip: float | None = setting(1.0, "largest norm of the gradient", low=0)
    accumulate: int = setting(1, "batches an optimiser step", low=1)
    deterministic: bool = setting(True, "the same seed gives the same numbers")
    limit_train_batches: int | None = setting(None, "of each epoch; null: all", low=1)
    limit_eval_batches: int | None = setting(None, "of each split; null: all", low=1)
    rewrites: list[str] = setting(
        ["fold_batchnorm", "dense_strides", "keep_memory"],
        "what makes Osprey's networks faster or safe on a CPU and changes no answer; [] for none",
        choices=("fold_batchnorm", "dense_strides", "keep_memory"),
    )
    profiler: Any = setting(None, "simple | advanced | pytorch, or _target_ of a profiler")
    args: dict[str, Any] = setting({})


@dataclass
class CallbacksConfig:
    """What watches the run; any further entry is a callback of its own, null switches it off."""

    early_stopping: Any = setting(None, "epochs without a better monitored figure")
    ema_decay: float | None = setting(
        None, "e.g. 0.99: validate and keep averaged weights", low=0, high=0.99999
    )
    averaging: str = setting(
        "none",
        "weights of several epochs averaged, if validation agrees",
        choices=("none", "swa", "soup"),
    )
    checkpoint_rule: str = setting(
        "auto",
        "the epoch that best.ckpt holds, by validation: highest figure, lowest log loss, last, the "
        "latest within the highest one's standard error; auto: that where the error is known",
        choices=("auto", "highest", "log_loss", "last", "within_error"),
    )
    progress: bool = setting(True, "a bar while an epoch runs")
    args: dict[str, Any] = setting({})


@dataclass
class LoggerConfig:
    """Where metrics go besides metrics.csv; any further entry is a logger of its own."""

    project: str = setting("osprey", "of W&B")
    entity: str | None = setting(None, "of W&B")
    offline: bool = setting(False, "of W&B")
    args: dict[str, Any] = setting({})

    @property
    def use(self) -> list[str]:
        """Names of the loggers that are switched on."""
        return [name for name, node in self.args.items() if node is not None]


@dataclass
class PathsConfig:
    """Folders Osprey writes to, relative to where the command is run."""

    runs: str = setting("runs", "run folders")
    data: str = setting("data", "data sets that Osprey renders")
    registry: str = setting("registry", "named versions of bundles")
    cache: str = setting(
        "${oc.env:OSPREY_CACHE,${oc.env:HOME,.}/.cache/osprey}",
        "kept from run to run; may be emptied",
    )


@dataclass
class CostConfig:
    """What a training, or a sweep, may take."""

    usd_per_hour: float | None = setting(
        None, "what an hour of this machine costs: estimates and results say money", low=0
    )
    max_minutes: float | None = setting(
        None, "of training: then the best epoch so far is tested", low=0
    )
    max_usd: float | None = setting(None, "the same in money", low=0)
    on_end: str | None = setting(None, "command to run at the end, however it came")

    @property
    def minutes_allowed(self) -> float | None:
        """The smaller of both limits, in minutes; None without one."""
        limits = [self.max_minutes]
        if self.max_usd is not None and self.usd_per_hour:
            limits.append(60 * self.max_usd / self.usd_per_hour)
        return min((limit for limit in limits if limit is not None), default=None)

    def usd_of(self, minutes: float, shared_by: int = 1) -> float | None:
        """What a training costs; None where nobody says what an hour does.

        Args:
            minutes: That it takes.
            shared_by: Trainings that the machine has at the same time: each pays its share.
        """
        if self.usd_per_hour is None:
            return None
        return minutes / 60 * self.usd_per_hour / shared_by

    @property
    def limit_setting(self) -> str:
        """The limit that counts, as it is written on a command line."""
        if self.max_minutes is not None and self.max_minutes == self.minutes_allowed:
            return f"cost.max_minutes={self.max_minutes:g}"
        return f"cost.max_usd={self.max_usd:g}" if self.max_usd is not None else ""


@dataclass
class ExtrasConfig:
    """What the command says beside the run."""

    print_config: bool = setting(False, "print the composed configuration first")
    enforce_tags: bool = setting(False, "refuse a run without tags=[...]")
    report: bool = setting(True, "write report.html and its pictures")
    ignore_warnings: bool = setting(True, "keep libraries' warnings off the terminal")
