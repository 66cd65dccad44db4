"""Several into one: weights of several epochs averaged, runs combined to an ensemble."""
