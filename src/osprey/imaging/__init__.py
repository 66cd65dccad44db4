"""Photos to pixels and pixels to model input: the one way in, shared by training and prediction."""

from osprey.imaging.decode import IMAGE_SUFFIXES, JPEG_SUFFIXES, MAX_PIXELS, decode, read_image
from osprey.imaging.preprocess import Preprocess
from osprey.imaging.resize import fitted, resized
from osprey.imaging.size import image_size

__all__ = [
    "IMAGE_SUFFIXES",
    "JPEG_SUFFIXES",
    "MAX_PIXELS",
    "Preprocess",
    "decode",
    "fitted",
    "image_size",
    "read_image",
    "resized",
]
