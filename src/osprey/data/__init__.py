"""From files to batches: manifests, readers, splits, checks, datasets.

Nothing is imported here: the manifest half of this room answers without torch.
"""
