"""``osprey models``: what can be trained and what it costs."""

from __future__ import annotations

from conftest import Result


def test_lists_costs(osprey) -> None:  # type: ignore[no-untyped-def]
    result: Result = osprey("models", "resnet[15]*[80]")
    assert result.code == 0, result.err
    lines = {line.split()[0]: line.split() for line in result.out.splitlines()}
    # Figures as published: 11.69 M parameters and 1.8 GMACs; 25.56 M and 4.1.
    assert lines["resnet18"][1:] == ["11.69", "M", "1.814", "G", "224", "px"]
    assert lines["resnet50"][1:] == ["25.56", "M", "4.089", "G", "224", "px"]


def test_misspelt_pattern(osprey) -> None:  # type: ignore[no-untyped-def]
    result: Result = osprey("models", "mobilnetv2_100")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "osprey models: no model matches 'mobilnetv2_100'; did you mean 'mobilenetv2_100'?\n"
    )


def test_wide_patterns_list_names_only(osprey) -> None:  # type: ignore[no-untyped-def]
    result: Result = osprey("models", "*net*")
    names = result.out.splitlines()
    assert "mobilenetv2_100" in names
    assert names[-1].endswith("a narrower pattern also shows parameters, MACs and input size")
    assert names[-1].startswith(f"{len(names) - 1} models; ")


def test_misspelt_timm_name_in_training(here, photos, osprey) -> None:  # type: ignore[no-untyped-def]
    result: Result = osprey(
        *("train", "data=folder", f"data.root={photos}", "model=timm", "model.name=resnet_18"),
        "model.pretrained=false",
    )
    assert result.code == 2
    assert result.err == "osprey train: unknown model 'resnet_18'; did you mean 'resnet18'?\n"
