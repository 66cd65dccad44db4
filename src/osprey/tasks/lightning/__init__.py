"""A LightningModule of the user's own: ``task._target_=my_pkg.lit.LitSegmenter``."""
