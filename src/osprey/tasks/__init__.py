"""One LightningModule per task, on one small base class."""
