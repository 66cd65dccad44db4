"""Boxes in the forms people keep them in: read, mended, written, turned into a manifest."""

from osprey.data.annotations.forms import FORMS, read_annotations, write_annotations
from osprey.data.annotations.table import Annotations

__all__ = ["FORMS", "Annotations", "read_annotations", "write_annotations"]
