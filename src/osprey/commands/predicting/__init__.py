"""``osprey predict`` in parts: what may be asked, and one module a kind of answer."""
