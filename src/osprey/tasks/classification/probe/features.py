"""Features of a frozen backbone, computed once and cached for further runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from osprey.data.check import fingerprint
from osprey.data.datamodule import DataModule
from osprey.data.dataset import Batch, Photos
from osprey.data.sampler import Key
from osprey.models.pixels import Normalise
from osprey.models.registry import Classifier, ModelSpec, head_prefixes
from osprey.system.files import atomic_path

_VERSION = "1"  # raise it when the same photos would give other features
_KEPT = 24  # files; older ones are deleted


@dataclass(frozen=True)
class Features:
    """Features of one split.

    Attributes:
        values: float32 [N, C], pooled features before the classifier.
        targets: int64 [N].
        weights: float32 [N], of the samples.
    """

    values: Tensor
    targets: Tensor
    weights: Tensor


class FeatureStore:
    """Computes features, or reads them from the cache.

    The key covers the backbone's weights, the preprocessing and augmentation, and each file's name,
    size and time.

    Args:
        network: Has ``forward_features`` and ``forward_head``, weights final.
        spec: Description it was built from, since pooling and padding matter as well.
        data: Splits and preprocessing.
        device: Device to compute on.
        cache: Osprey's cache folder.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        data: DataModule,
        device: torch.device,
        cache: Path,
    ) -> None:
        self.spec = spec
        preprocess = data.preprocess
        self.pixels = Normalise(preprocess.mean, preprocess.std).to(device)
        # The bytes come in this order, and convolutions are quicker in it.
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.data = data
        self.device = device
        self.folder = cache / "features"
        self.weights = _digest_of_backbone(network)

    def features(self, split: str, view: int = 0) -> Features:
        """Features of one split, in the manifest's order.

        Args:
            split: ``train``, ``val`` or ``test``.
            view: 0 for photos as in production, k for the k-th fixed augmentation of each.

        Returns:
            The features, on the CPU.

        Raises:
            UnreadableImage: A photo cannot be decoded.
        """
        dataset = self.data.dataset(split, augmented=view > 0)
        file = self.folder / f"{self._key(split, view)}.safetensors"
        values = _kept(file, len(dataset))
        if values is None:
            values = self._compute(dataset, view)
            self._keep(file, values)
        return Features(values, torch.tensor(dataset.targets), torch.tensor(dataset.weights))

    def _key(self, split: str, view: int) -> str:
        part = self.data.manifest.split(split)
        metadata = {
            "version": _VERSION,
            "torch": torch.__version__,
            "model": [self.spec.to_dict(), self.weights],
            "preprocess": self.data.preprocess.to_dict(),
            "root": str(part.root.resolve()),
            "files": fingerprint(part.root, part.table["path"].tolist()),
            "view": [view, self.data.seed, repr(self.data.augment)] if view else 0,
        }
        return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()[:32]

    def _compute(self, dataset: Photos, view: int) -> Tensor:
        keys = [(view, row) for row in range(len(dataset))]
        chunks = _Chunks(keys, self.data.config.eval_batch_size)
        loader: DataLoader[Batch] = self.data.loader(dataset, chunks)
        network = cast(Classifier, self.network.eval())
        values = []
        with torch.inference_mode():
            for batch in loader:
                maps = network.forward_features(self.pixels(batch["image"].to(self.device)))
                values.append(network.forward_head(maps, pre_logits=True).float().cpu())
        # Cloned out of inference mode, so that a head's gradients may pass through them.
        return torch.cat(values).clone()

    def _keep(self, file: Path, values: Tensor) -> None:
        # A full or read-only cache costs time, no more.
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(file) as partial:
                save_file({"values": values.contiguous()}, partial)
            kept = sorted(self.folder.glob("*.safetensors"), key=lambda p: p.stat().st_mtime)
            for old in kept[:-_KEPT]:
                old.unlink(missing_ok=True)


def _kept(file: Path, count: int) -> Tensor | None:
    """The values in a file; None where there is none, or it was cut short."""
    try:
        values = load_file(file)["values"]
        file.touch()  # the least recently used are deleted
    except (OSError, SafetensorError, KeyError):
        return None
    return values if len(values) == count else None


class _Chunks:
    """Batches of keys, in order, as a loader wants them."""

    def __init__(self, keys: list[Key], size: int) -> None:
        self.keys = keys
        self.size = size

    def __len__(self) -> int:
        return -(-len(self.keys) // self.size)

    def __iter__(self) -> Iterator[list[Key]]:
        for start in range(0, len(self.keys), self.size):
            yield self.keys[start : start + self.size]


def _digest_of_backbone(network: nn.Module) -> str:
    """SHA-256 over the names and values of every tensor below the head."""
    digest = hashlib.sha256()
    heads = head_prefixes(network)
    for name, value in sorted(network.state_dict().items()):
        if not name.startswith(heads):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
