"""What ``osprey doctor``, ``split`` and ``preview`` share, and the doctor's features."""
