"""Osprey: from a folder of photos to a tested recogniser with one command."""

__version__ = "0.1.0"
