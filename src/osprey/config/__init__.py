"""Typed configuration: the schema, Hydra's composition, and checks before torch is imported."""
