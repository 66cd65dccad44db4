"""One label a photo."""
