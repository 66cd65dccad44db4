"""What a finished run shows: pictures, Grad-CAM, its kin, W&B media."""
