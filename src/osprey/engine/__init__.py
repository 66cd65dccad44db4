"""Fit, test and predict on Lightning: the trainer, its callbacks and loggers."""
