"""Testing detectors: what they find on a split, and the figures of it."""
