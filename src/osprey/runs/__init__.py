"""Run folders: settings, checkpoints, metrics; finding and comparing runs."""
