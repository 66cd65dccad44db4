"""Camio's hook protocol: events come in, their labels go out to the address that each names."""
