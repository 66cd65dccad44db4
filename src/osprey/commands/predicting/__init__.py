"""``osprey predict`` in parts: what may be asked, and two steps in one answer."""
