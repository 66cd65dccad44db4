"""The network of an ensemble, and what a stranger's description of one cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osprey.ensembling.ensemble import join
from osprey.errors import CheckpointError, ConfigError, UserError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata, load_model, write_checkpoint
from osprey.models.ensemble import Ensemble
from osprey.models.registry import ModelSpec, build, check_spec, input_settings

SPEC = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
MEMBER = {**SPEC.to_dict(), "size": 32}
CLASSES = ["a", "b", "c"]


def trained(
    seed: int, classes: list[str] = CLASSES, **changes: Any
) -> tuple[nn.Module, CheckpointMetadata]:
    """A network that stands for a trained one, and its metadata."""
    torch.manual_seed(seed)
    prepared = {"temperature": 1.0, **changes}
    temperature = prepared.pop("temperature")
    preprocess = Preprocess(**{"size": 32, **prepared})
    metadata = CheckpointMetadata(
        "classification", SPEC, classes, preprocess.to_dict(), temperature
    )
    return build(SPEC, len(classes)).eval(), metadata


def answers(model: nn.Module, pixels: torch.Tensor, metadata: CheckpointMetadata) -> torch.Tensor:
    """Tempered probabilities [N, C] of pixels in 0..1, normalised as ``metadata`` say."""
    mean, std = (torch.tensor(metadata.preprocess[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        return (model((pixels - mean) / std) / metadata.temperature).softmax(dim=1)


@quick
@given(
    st.integers(0, 1000),
    st.floats(0.3, 4),
    st.permutations(CLASSES),
    st.lists(st.floats(0.1, 0.9), min_size=3, max_size=3),
)
def test_members_answer_as_they_did_alone(
    seed: int, temperature: float, order: list[str], mean: list[float]
) -> None:
    one = trained(seed, temperature=temperature)
    other = trained(seed + 1, classes=order, mean=tuple(mean), std=(0.1, 0.3, 0.5))
    network, metadata = join([one, other], "average")
    assert metadata.classes == CLASSES
    pixels = torch.rand(4, 3, 32, 32)
    mine, theirs = answers(*one[:1], pixels, one[1]), answers(*other[:1], pixels, other[1])
    theirs = theirs[:, [order.index(name) for name in CLASSES]]
    found = answers(network, pixels, metadata)
    torch.testing.assert_close(found, (mine + theirs) / 2, rtol=1e-4, atol=1e-5)


def test_a_smaller_member_sees_a_smaller_photo(tmp_path: Path) -> None:
    network, metadata = join([trained(0, size=32), trained(1, size=64)], "average")
    assert metadata.preprocess["size"] == 64 and input_settings(metadata.model).size == 64
    seen: list[int] = []
    for member in network.members:
        member.network.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-1]))
    plain = torch.full((1, 3, 64, 64), 0.25)
    found = answers(network, plain, metadata)
    assert seen == [32, 64] and found.sum() == pytest.approx(1)


def test_what_members_must_share() -> None:
    with pytest.raises(ConfigError, match=r"crop of 0\.875 and data\.resize=crop of 0\.5"):
        join([trained(0, resize="crop"), trained(1, resize="crop", crop_pct=0.5)], "average")


@pytest.mark.parametrize("kind", ["average", "weighted", "stacked"])
def test_a_checkpoint_holds_all_of_it(kind: str, tmp_path: Path) -> None:
    network, metadata = join([trained(0, temperature=2.0), trained(1)], kind)
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({"osprey": metadata.to_dict(), "state_dict": state}, tmp_path / "x.ckpt")
    again, found = load_model(tmp_path / "x.ckpt")
    assert isinstance(again, Ensemble) and found == metadata
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(answers(again, pixels, found), answers(network, pixels, metadata))


def test_an_order_out_of_range_is_no_crash(tmp_path: Path) -> None:
    network, metadata = join([trained(0), trained(1)], "average")
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    state["model.members.0.order"] = torch.tensor([99, -7, 10**12])
    write_checkpoint({"osprey": metadata.to_dict(), "state_dict": state}, tmp_path / "x.ckpt")
    model, _ = load_model(tmp_path / "x.ckpt")
    assert answers(model, torch.rand(1, 3, 32, 32), metadata).shape == (1, 3)


def test_a_member_of_no_weight_says_nothing() -> None:
    one, other = trained(0), trained(1)
    network, metadata = join([one, other], "weighted")
    network.combine.weights.copy_(torch.tensor([1.0, 0.0]))
    pixels = torch.rand(2, 3, 32, 32)
    found = answers(network, pixels, metadata)
    torch.testing.assert_close(found, answers(one[0], pixels, one[1]))


AS_WRITTEN = "an ensemble's description must name its members as Osprey writes them"
STRANGE = {
    "no members": ({"members": [], "combine": "average"}, AS_WRITTEN),
    "no list": ({"members": "ab", "combine": "average"}, AS_WRITTEN),
    "unknown combine": ({"members": [MEMBER], "combine": "eval"}, AS_WRITTEN),
    "more": ({"members": [MEMBER], "combine": "average", "x": 1}, AS_WRITTEN),
    "no dict": ({"members": [[1]], "combine": "average"}, AS_WRITTEN),
    "huge": ({"members": [{**MEMBER, "size": 10**9}], "combine": "average"}, AS_WRITTEN),
    "no options": ({"members": [{**MEMBER, "options": []}], "combine": "average"}, AS_WRITTEN),
    "code": (
        {"members": [MEMBER, {**MEMBER, "factory": "os.system"}], "combine": "average"},
        "the model names os.system, which is not Osprey's",
    ),
    "an option": (
        {"members": [{**MEMBER, "options": {"act": "x"}}], "combine": "average"},
        "model.options: 'act' cannot be set",
    ),
    "a prefix": (
        {
            "members": [{**MEMBER, "factory": "timm", "name": "hf-hub:a/b", "options": {}}],
            "combine": "average",
        },
        "unknown model 'hf-hub:a/b'",
    ),
    "nested": (
        {
            "members": [
                {
                    "factory": "ensemble",
                    "name": "ensemble",
                    "options": {"members": [MEMBER], "combine": "average"},
                    "size": 32,
                }
            ],
            "combine": "average",
        },
        "an ensemble cannot be a member of an ensemble",
    ),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strangers_description_is_refused(case: str, tmp_path: Path) -> None:
    options, message = STRANGE[case]
    spec = ModelSpec("ensemble", "ensemble", options)
    with pytest.raises(UserError) as caught:
        build(spec, 3)
    assert str(caught.value).startswith(message)
    metadata = replace(trained(0)[1], model=spec)
    write_checkpoint({"osprey": metadata.to_dict(), "state_dict": {}}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="is refused: "):
        load_model(tmp_path / "x.ckpt")


def test_a_good_description_is_not() -> None:
    check_spec(ModelSpec("ensemble", "ensemble", {"members": [MEMBER], "combine": "stacked"}))
