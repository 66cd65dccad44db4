"""The report of a run that names the one class of each photo."""
