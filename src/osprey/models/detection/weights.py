"""Pretrained weights of detectors: the backbone's alone, or a whole network's from COCO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from osprey.errors import CheckpointError, reason_of
from osprey.models.detection.detector import Detector
from osprey.models.detection.spec import QUERIES, backbone_of
from osprey.models.spec import ModelSpec
from osprey.models.timm_models import build_timm
from osprey.models.traits import SharedClasses
from osprey.models.transfer import describe_head
from osprey.models.weights import describe_weights, download, load_strictly, read_weights
from osprey.system.paths import home_path


def load_detector(
    model: Detector, spec: ModelSpec, pretrained: bool | str, classes: Sequence[str] = ()
) -> str:
    """Fill a detector with pretrained weights.

    Layers that depend on the classes are begun anew, but for classes that COCO's have by name.

    Args:
        model: Detector to fill, in place.
        spec: Description it was built from.
        pretrained: True to download them, or the path of a file: weights of the timm classifier
            with a backbone, else of torchvision's or transformers' detector; or a checkpoint of
            Osprey's of the same detector.
        classes: Names of its classes.

    Returns:
        One line that says what was loaded.

    Raises:
        CheckpointError: The weights cannot be obtained, or do not fit this network.
    """
    file = home_path(pretrained) if isinstance(pretrained, str) else None
    if file is not None and spec.name in QUERIES and not file.is_file():
        file = None  # of transformers' models they are a folder
    given = None if file is None else read_weights(file)
    if given is not None and all(key.startswith("network.") for key in given):
        left = load_strictly(
            model, given, str(pretrained), lambda key: key.startswith(model.class_layers)
        )
        return describe_weights(str(pretrained), left)
    if spec.name in QUERIES:
        from osprey.models.detection.queries import load_queries

        return load_queries(model, spec.name, pretrained, classes)
    backbone = backbone_of(spec)
    if backbone is None:
        return _load_whole(model, spec.name, given, str(pretrained), classes)
    state, source = download(backbone) if given is None else (given, str(pretrained))
    with torch.device("meta"):
        classifier = build_timm(backbone, 1).state_dict()
    beside = classifier.keys() - model.body.state_dict().keys()
    try:
        left = load_strictly(model.body, state, source, lambda key: key in beside)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}; the backbone is '{backbone.name}': name that of the weights with "
            "model.backbone=NAME"
        ) from None
    return describe_weights(source, left)


def are_of_a_detector(path: str) -> bool:
    """Whether weights are of a whole detector of torchvision's, and not of a classifier.

    Args:
        path: Of whatever `read_weights` reads; what it refuses is none.
    """
    try:
        return any(key.startswith("backbone.") for key in read_weights(home_path(path)))
    except CheckpointError:
        return False


def _load_whole(
    model: Detector,
    name: str,
    given: Mapping[str, Tensor] | None,
    source: str,
    classes: Sequence[str],
) -> str:
    """Load weights of torchvision's network, their keys renamed as torchvision itself does it.

    Those made for COCO's classes give what they know of classes by name; of others, which they do
    not name, all but the layers of the classes.
    """
    from osprey.models.detection.torchvision_detectors import coco_classes, coco_network

    state = given
    if state is None:
        state, source = _download_whole(name), f"torchvision's for {name} (COCO)"
    reference = coco_network(name)
    of_classes = tuple(layer.removeprefix("network.") for layer in model.class_layers)
    others = _of_other_classes(state, reference.state_dict(), of_classes)
    state = {key: value for key, value in state.items() if key not in others}
    try:
        missing, unknown = reference.load_state_dict(dict(state), strict=False)
    except RuntimeError:
        missing, unknown = [], list(state)
    # Statistics that never move are counted by no batch.
    missing = [
        key for key in missing if key not in others and not key.endswith("num_batches_tracked")
    ]
    if missing or unknown:
        first = (missing or unknown)[0]
        raise CheckpointError(
            f"model.pretrained: '{source}' does not fit torchvision's {name}: {len(missing)} keys "
            f"missing, {len(unknown)} unknown or of another shape, first '{first}'"
        )
    full = {f"network.{key}": value for key, value in reference.state_dict().items()}
    load_strictly(model, full, source, lambda key: key.startswith(model.class_layers))
    if others:
        return f"weights: {source} (layers that name classes left out)"
    known = coco_classes(name)
    return f"weights: {source} ({copy_named_classes(model, full, classes, known)})"


def _of_other_classes(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], of_classes: tuple[str, ...]
) -> set[str]:
    """The layers that name classes, if they name another number of them than COCO's."""
    named = {key for key in state if key.startswith(of_classes) and key in expected}
    fit = all(state[key].shape == expected[key].shape for key in named)
    return set() if fit else named


def copy_named_classes(
    model: Detector, theirs: Mapping[str, Tensor], classes: Sequence[str], known: Sequence[str]
) -> str:
    """Copy what was learnt of the classes of the same name, whatever their case.

    Args:
        model: Detector whose class layers are filled, in place.
        theirs: State dict of the same network with other classes.
        classes: Names of the detector's classes.
        known: Names of the other's.

    Returns:
        What became of the layers that name classes, in a few words.
    """
    here, there = ([name.casefold() for name in names] for names in (classes, known))
    shared = SharedClasses.between(here, there)
    if not len(shared.here):
        return "layers that name classes left out"
    own, traits = model.state_dict(), model.traits()
    for key in theirs:
        if key.startswith(model.class_layers):
            traits.copy_classes(key, own[key], theirs[key], shared)
    model.load_state_dict(own)
    return describe_head(classes, [name for name in classes if name.casefold() in there])


def _download_whole(name: str) -> Mapping[str, Tensor]:
    from osprey.models.detection.torchvision_detectors import coco_weights

    try:
        state: dict[str, Any] = coco_weights(name)
    except Exception as error:  # whatever a download raises
        reason = reason_of(error)
        raise CheckpointError(
            f"the pretrained weights of '{name}' could not be downloaded ({reason}): give "
            "model.backbone=NAME model.pretrained=PATH, or start from nothing with "
            "model.pretrained=false"
        ) from None
    return state
