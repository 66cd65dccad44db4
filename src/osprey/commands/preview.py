"""``osprey preview``: what augmentation makes of training photos, as one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from osprey.augmentation.steps import OF_BATCHES
from osprey.commands.doctoring.words import own_settings
from osprey.config.chosen import overrides_of_job
from osprey.config.compose import run_hydra
from osprey.config.fields import setting
from osprey.config.parse import LIGHTNING
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, UserError
from osprey.runs.donor import with_runs_named
from osprey.system.console import counted, say
from osprey.system.files import write_bytes

if TYPE_CHECKING:
    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.tasks.contact_sheet import Tile

_USAGE = """Show what augmentation makes of training photos, before a run: a sheet of pictures.

  osprey preview augmentation=heavy data=folder data.root=PHOTOS
  osprey preview augmentation=detection task=detection model=fcos data=coco data.root=PHOTOS
  osprey preview photos=8 variants=6 augmentation=fish ...

Each row is a photo as it is, then as the first epochs of a training would see it; boxes are drawn.
Settings follow as for 'osprey train'. The sheet is written to runs/preview/."""


@dataclass
class PreviewSettings:
    """How large the sheet is."""

    photos: int = setting(6, "rows of the sheet", low=1, high=100)
    variants: int = setting(5, "pictures of each photo beside it", low=1, high=100)


def main(argv: list[str]) -> int:
    """Draw the sheet for the settings of ``argv``."""
    if not argv or any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE)
        return 0
    own, words = own_settings(with_runs_named(argv), PreviewSettings)
    if any(word in ("-m", "--multirun") or word.startswith("resume=") for word in words):
        raise ConfigError("preview shows one configuration: it takes no -m and no resume")

    def job(cfg: DictConfig) -> None:
        from osprey.engine.prepare import check_and_prepare

        config, prepared, _ = check_and_prepare(cfg, overrides_of_job())
        if prepared is None or config.task.name == LIGHTNING:
            raise ConfigError("preview shows Osprey's own tasks: yours reads photos in its own way")
        _draw(config, prepared.manifest, own.photos, own.variants)

    run_hydra("train", words, job, "osprey preview")
    return 0


def _draw(config: TrainConfig, manifest: Manifest, photos: int, variants: int) -> None:
    from osprey.tasks.contact_sheet import contact_sheet

    rows = _rows(config, manifest, photos, variants)
    folder = Path(config.paths.runs) / "preview"
    encoded = BytesIO()
    contact_sheet(rows).save(encoded, "PNG")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"paths.runs: cannot write to '{folder}' ({error.strerror})") from None
    file = folder / f"{new_stamp()}.png"
    write_bytes(file, encoded.getvalue())
    mixes = [name for name in OF_BATCHES if getattr(config.augmentation, name)]
    if mixes:
        say(f"not shown, made of whole batches on their device: {', '.join(mixes)}")
    shown = f"{counted(len(rows), 'photo')}, {counted(variants, 'variant')} each"
    say(f"wrote   {file}: augmentation={config.augmentation.name}, {shown}")


def _rows(config: TrainConfig, manifest: Manifest, photos: int, variants: int) -> list[list[Tile]]:
    """For each photo its tiles: as it is, then as each of the first epochs sees it."""
    from osprey.models.registry import input_settings
    from osprey.tasks.contact_sheet import Tile
    from osprey.tasks.loading import make_data, make_preprocess, model_spec
    from osprey.tasks.settings import DataSettings

    settings = DataSettings.from_config(config)
    few = replace(settings, data=replace(settings.data, num_workers=0, cache="none"))
    preprocess = make_preprocess(config.data, input_settings(model_spec(config.model)))
    train, ends = manifest.split("train"), preprocess.value_range
    dataset: Any = make_data(few, manifest, preprocess).dataset("train", augmented=True)
    rows = []
    for row in _spread(train, photos):
        path, label = (str(train.table[key].iat[row]) for key in ("path", "label"))
        tiles = [Tile.of_photo(train, row, f"{label}: {Path(path).name}", ends)]
        for epoch in range(variants):
            sample = dataset[epoch, row]
            tiles.append(Tile(sample["image"].numpy(), sample.get("boxes"), f"{epoch + 1}"))
        rows.append(tiles)
    return rows


def _spread(train: Manifest, photos: int) -> list[int]:
    """Rows of photos of every class in turn, the rarest first, always the same."""
    table = train.table.reset_index(drop=True)
    turn = table.groupby("label").cumcount()
    size = table.groupby("label")["label"].transform("size")
    order = table.assign(turn=turn, size=size).sort_values(["turn", "size"], kind="stable")
    return [int(row) for row in order.index[:photos]]
