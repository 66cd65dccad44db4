"""What the service answers: one file a router, each with a ``router``."""
