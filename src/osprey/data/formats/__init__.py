"""Annotation formats of boxes: read, repaired, written, turned into a manifest."""

from osprey.data.formats.registry import FORMS, read_annotations, write_annotations
from osprey.data.formats.table import Annotations

__all__ = ["FORMS", "Annotations", "read_annotations", "write_annotations"]
