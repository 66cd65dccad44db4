"""Image classification: one label per photo."""
