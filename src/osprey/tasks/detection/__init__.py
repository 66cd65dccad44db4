"""Boxes and their classes on each photo."""
