"""Plots and the single-file HTML report, from a run folder's files alone. No torch here."""
