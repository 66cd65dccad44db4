"""Weight averaging over epochs, and ensembles of runs."""
