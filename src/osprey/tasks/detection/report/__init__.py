"""The report of a detector's run."""
