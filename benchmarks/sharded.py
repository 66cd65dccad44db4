"""``trainer=fsdp`` rehearsed without a GPU: ``trainer.strategy._target_=sharded.OnProcessors``.

It needs this folder on the path (``PYTHONPATH=benchmarks``) and a run of several CPU processes
(``trainer=ddp_sim trainer.gradient_clip=null``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from osprey.engine.strategies import FullySharded


class OnProcessors(FullySharded):
    """Osprey's FSDP over gloo. PyTorch shards on CPUs only if it is told so by name.

    Going on from a checkpoint is not rehearsed: there PyTorch returns an optimiser's states as
    views of one buffer, which on a GPU are copied to the CPU in time.
    """

    def _setup_model(self, model: nn.Module) -> nn.Module:
        names: dict[str, Any] = {"device_id": torch.device("cpu")}
        return FullyShardedDataParallel(
            model, mixed_precision=self.mixed_precision_config, **names, **self.kwargs
        )
