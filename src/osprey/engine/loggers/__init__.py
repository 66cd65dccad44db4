"""Loggers, and the results they get."""
