"""A digit classifier that was written for Lightning, not for Osprey."""

from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics import MaxMetric, MeanMetric
from torchmetrics.classification.accuracy import Accuracy


class Dense(nn.Module):
    def __init__(self, input_size: int = 196, width: int = 32, output_size: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(input_size, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, output_size),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.flatten(1))


class LitMnist(LightningModule):
    def __init__(self, net: nn.Module, optimizer: Any, scheduler: Any, compile: bool) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net = net
        self.criterion = nn.CrossEntropyLoss()
        self.train_acc = Accuracy(task="multiclass", num_classes=10)
        self.val_acc = Accuracy(task="multiclass", num_classes=10)
        self.test_acc = Accuracy(task="multiclass", num_classes=10)
        self.train_loss, self.val_loss, self.test_loss = MeanMetric(), MeanMetric(), MeanMetric()
        self.val_acc_best = MaxMetric()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def on_train_start(self) -> None:
        self.val_loss.reset()
        self.val_acc.reset()
        self.val_acc_best.reset()

    def model_step(self, batch: Any) -> Any:
        x, y = batch
        logits = self.forward(x)
        return self.criterion(logits, y), torch.argmax(logits, dim=1), y

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss, preds, targets = self.model_step(batch)
        self.train_loss(loss)
        self.train_acc(preds, targets)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, preds, targets = self.model_step(batch)
        self.val_loss(loss)
        self.val_acc(preds, targets)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("val/acc", self.val_acc, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True, prog_bar=True)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        loss, preds, targets = self.model_step(batch)
        self.test_loss(loss)
        self.test_acc(preds, targets)
        self.log("test/loss", self.test_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("test/acc", self.test_acc, on_step=False, on_epoch=True, prog_bar=True)

    def setup(self, stage: str) -> None:
        if self.hparams.compile and stage == "fit":
            self.net = torch.compile(self.net)

    def configure_optimizers(self) -> Any:
        optimizer = self.hparams.optimizer(params=self.trainer.model.parameters())
        if self.hparams.scheduler is not None:
            scheduler = self.hparams.scheduler(optimizer=optimizer)
            schedule = {"scheduler": scheduler, "monitor": "val/loss", "interval": "epoch"}
            return {"optimizer": optimizer, "lr_scheduler": schedule}
        return {"optimizer": optimizer}


class MnistData(LightningDataModule):
    def __init__(
        self,
        train_val_test_split: tuple = (160, 80, 80),
        batch_size: int = 16,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.data_train = None

    @property
    def num_classes(self) -> int:
        return 10

    def setup(self, stage: Any = None) -> None:
        if self.data_train is not None:
            return
        draw = torch.Generator().manual_seed(3)
        count = sum(self.hparams.train_val_test_split)
        labels = torch.randint(10, (count,), generator=draw)
        shapes = (torch.rand(10, 1, 14, 14, generator=draw) > 0.6).float()
        noise = 0.5 * torch.randn(count, 1, 14, 14, generator=draw)
        whole = TensorDataset(shapes[labels] + noise, labels)
        parts = random_split(whole, self.hparams.train_val_test_split, generator=draw)
        self.data_train, self.data_val, self.data_test = parts

    def loader(self, data: Any, shuffle: bool = False) -> DataLoader:
        return DataLoader(data, batch_size=self.hparams.batch_size, shuffle=shuffle)

    def train_dataloader(self) -> DataLoader:
        return self.loader(self.data_train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader(self.data_val)

    def test_dataloader(self) -> DataLoader:
        return self.loader(self.data_test)
