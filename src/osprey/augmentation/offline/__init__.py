"""Augmentation before training: copies of photos as files, with a label file of their own."""
