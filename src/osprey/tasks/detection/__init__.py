"""Object detection: boxes and their classes on each photo."""
