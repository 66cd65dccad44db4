"""Loggers, and what is sent to them."""
