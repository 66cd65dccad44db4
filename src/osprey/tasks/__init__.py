"""One LightningModule a task, on one small base class."""
