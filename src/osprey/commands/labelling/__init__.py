"""Suspected labels: their table and page, and what a person decides."""
