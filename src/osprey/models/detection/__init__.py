"""Detectors behind one interface: torchvision's own, and their heads on any timm backbone."""
