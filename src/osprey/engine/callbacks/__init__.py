"""Lightning callbacks that every run has."""
