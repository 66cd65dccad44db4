"""Sweeps: a space, a study of it that survives everything, and workers that train its trials."""
