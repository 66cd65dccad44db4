"""The report of a run that finds the subjects on each photo."""
