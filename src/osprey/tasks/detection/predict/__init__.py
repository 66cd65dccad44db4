"""``osprey predict`` with a detector's run: printed boxes, annotations, pictures, video."""
