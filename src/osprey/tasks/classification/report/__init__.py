"""The report of a classifier's run."""
