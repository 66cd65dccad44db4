"""What fits and what is fastest: autotune, batch size, learning rate."""
