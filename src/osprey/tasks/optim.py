"""Optimiser and learning-rate schedule: Osprey's, any of torch's and timm's, or the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from osprey.config.schema import OptimizerConfig, SchedulerConfig
from osprey.errors import ConfigError, nearest
from osprey.system.instantiate import call, wrong_kind
from osprey.system.targets import check_arguments, import_target, parameters_of

Groups = list[dict[str, Any]]


def plain_name(name: str) -> str:
    """The name of a module or parameter without FSDP's ``_fsdp_wrapped_module.``."""
    return name.replace("_fsdp_wrapped_module.", "")


def undecayed(model: nn.Module) -> frozenset[str]:
    """Names of the parameters without weight decay: biases and norms, which have one dimension.

    To be called before FSDP flattens all parameters to one dimension.
    """
    return frozenset(name for name, p in model.named_parameters() if p.ndim <= 1)


def parameter_groups(
    model: nn.Module, config: OptimizerConfig, spared: Collection[str] | None = None
) -> Groups:
    """Parameter groups: no decay on biases and norms, lower rates for earlier layers.

    Args:
        model: The network.
        config: Learning rate, weight decay and layer decay.
        spared: Names of the parameters without weight decay; None for `undecayed`.

    Returns:
        Groups for an optimiser; frozen parameters are left out.
    """
    if config.layer_decay < 1.0:
        from timm.optim._param_groups import param_groups_layer_decay

        groups: Groups = param_groups_layer_decay(
            model, weight_decay=config.weight_decay, layer_decay=config.layer_decay
        )
        for group in groups:
            group["lr"] = config.lr * group.pop("lr_scale")
        return groups
    spared = undecayed(model) if spared is None else spared
    moving = [(plain_name(name), p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in moving if n not in spared], "weight_decay": config.weight_decay},
        {"params": [p for n, p in moving if n in spared], "weight_decay": 0.0},
    ]


def make_optimizer(
    model: nn.Module, config: OptimizerConfig, spared: Collection[str] | None = None
) -> Optimizer:
    """Build the optimiser over every trainable parameter of ``model``.

    Args:
        model: The network.
        config: Its settings. A target of the user's own gets the parameter groups, and ``lr`` and
            ``weight_decay`` where it accepts them.
        spared: See `parameter_groups`.

    Returns:
        The optimiser.

    Raises:
        ConfigError: There is none of this name, or it does not accept an argument.
    """
    groups = [group for group in parameter_groups(model, config, spared) if group["params"]]
    if config.target == _OWN:
        return create_optimizer(
            groups, config.name, config.lr, momentum=config.momentum, **config.args
        )
    found = import_target("optimizer", config.target)
    takes = parameters_of(found)
    rates = {"lr": config.lr, "weight_decay": config.weight_decay}
    given = {**{k: v for k, v in rates.items() if k in takes}, **config.args}
    first = next(iter(takes), "params")  # torch calls it params
    check_arguments("optimizer", config.target, found, given, (first,))
    made = call("optimizer", config.target, found, {first: groups, **given})
    if not isinstance(made, Optimizer):
        raise wrong_kind("optimizer", config.target, made, Optimizer)
    return made


_OWN = "osprey.tasks.optim.create_optimizer"


def create_optimizer(
    params: Groups, name: str, lr: float, *, momentum: float = 0.9, **more: Any
) -> Optimizer:
    """Build any of torch's and timm's optimisers, by timm's name.

    Args:
        params: Parameter groups, each with its ``weight_decay``.
        name: Such as ``adamw``, ``sgd`` (with Nesterov momentum), ``lion``.
        lr: Peak learning rate.
        momentum: Momentum, or Adam's beta 1.
        more: Further arguments of the optimiser.

    Returns:
        The optimiser.

    Raises:
        ConfigError: timm has none of this name, or it does not accept an argument.
    """
    if name == "sgd" and not more:
        return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=momentum > 0)
    if name == "adamw" and not more:
        return torch.optim.AdamW(params, lr=lr, betas=(momentum, 0.999))
    import timm.optim as library

    names = [str(known) for known in library.list_optimizers()]  # type: ignore[attr-defined]
    if name not in names:
        raise ConfigError(f"optimizer.name: unknown '{name}'{nearest(name, names)}")
    info: Any = library.get_optimizer_info(name)  # type: ignore[attr-defined]
    takes = parameters_of(info.opt_class)
    for key in more:
        if takes and key not in takes:
            hint = nearest(key, takes) or f" (it takes {', '.join(takes)})"
            raise ConfigError(f"optimizer.{key}: '{name}' takes no such argument{hint}")
    if info.has_betas and momentum != 0.9 and info.num_betas == 2:
        more.setdefault("betas", (momentum, 0.999))
    arguments = {"model_or_params": params, "opt": name, "lr": lr, "momentum": momentum, **more}
    create: Any = library.create_optimizer_v2  # type: ignore[attr-defined]
    made: Optimizer = call("optimizer", name, create, arguments)
    return made


def rate_at(config: SchedulerConfig, total: int) -> Callable[[int], float]:
    """Linear warm-up, then half a cosine or a constant rate.

    Args:
        config: ``warmup`` is a fraction of all steps, ``final_ratio`` of the peak rate.
        total: Number of optimiser steps.

    Returns:
        From a step, counted from 0, to the fraction of the peak rate.
    """
    warm = round(config.warmup * total)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if config.name == "constant":
            return 1.0
        done = min(1.0, (step - warm) / max(1, total - warm))
        return config.final_ratio + (1 - config.final_ratio) * (1 + math.cos(math.pi * done)) / 2

    return share


def make_scheduler(
    optimizer: Optimizer, config: SchedulerConfig, total: int, epochs: int = 1
) -> LRScheduler | ReduceLROnPlateau:
    """Build the learning-rate schedule.

    Args:
        optimizer: The optimiser whose learning rates change.
        config: Its settings. A target of torch's or the user's own gets, where it accepts them,
            ``total_steps`` (or ``T_max``, ``total_iters``) and ``epochs``.
        total: Optimiser steps of the whole run.
        epochs: Epochs of the whole run.

    Returns:
        The schedule.

    Raises:
        ConfigError: An argument is missing or not accepted.
    """
    if config.target == "osprey.tasks.optim.create_scheduler":
        if config.name not in ("cosine", "constant"):
            raise ConfigError(f"scheduler.name: unknown '{config.name}' (one of cosine, constant)")
        return create_scheduler(optimizer, config, total)
    found = import_target("scheduler", config.target)
    units = total if config.interval == "step" else epochs
    known = {name: max(1, units) for name in ("total_steps", "T_max", "total_iters")}
    known |= {"epochs": epochs, "steps_per_epoch": max(1, total // max(1, epochs))}
    takes = parameters_of(found)
    if "total_steps" in takes:  # OneCycleLR wants either these or the other two
        known = {"total_steps": max(1, units)}
    given = {**{k: v for k, v in known.items() if k in takes}, **config.args}
    check_arguments("scheduler", config.target, found, given, ("optimizer",))
    made = call("scheduler", config.target, found, {"optimizer": optimizer, **given})
    if not isinstance(made, LRScheduler | ReduceLROnPlateau):
        raise wrong_kind("scheduler", config.target, made, LRScheduler)
    return made


def create_scheduler(optimizer: Optimizer, config: SchedulerConfig, total: int) -> LambdaLR:
    """Linear warm-up, then half a cosine or a constant rate (`rate_at`)."""
    return LambdaLR(optimizer, rate_at(config, total))


def create_timm_scheduler(
    optimizer: Optimizer, sched: str, total_steps: int, **more: Any
) -> LambdaLR:
    """One of timm's schedules, stepped once per optimiser step.

    Args:
        optimizer: The optimiser whose learning rates change.
        sched: timm's name for it.
        total_steps: Optimiser steps of the whole run.
        more: Further arguments of ``timm.scheduler.create_scheduler_v2``.

    Returns:
        The schedule.
    """
    import timm.scheduler as library

    scratch = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    made, _ = library.create_scheduler_v2(  # type: ignore[attr-defined]
        scratch,
        sched=sched,
        num_epochs=total_steps,
        step_on_epochs=False,
        updates_per_epoch=1,
        **more,
    )

    def share(step: int) -> float:
        made.step_update(step)
        return float(scratch.param_groups[0]["lr"])

    return LambdaLR(optimizer, share)


def lightning_schedule(scheduler: Any, interval: str, monitor: str | None) -> Mapping[str, Any]:
    """Lightning's ``lr_scheduler`` dictionary.

    Args:
        scheduler: The schedule.
        interval: ``step`` or ``epoch``; always ``epoch`` for ReduceLROnPlateau.
        monitor: Metric that ReduceLROnPlateau watches.

    Returns:
        The dictionary.
    """
    entry = {"scheduler": scheduler, "interval": interval, "frequency": 1}
    if isinstance(scheduler, ReduceLROnPlateau):
        entry |= {"monitor": monitor, "interval": "epoch"}
    return entry
