"""Finding settings: batch size, learning rate, memory format and precision."""
