"""A trained run as a bundle that answers without PyTorch, checked against PyTorch."""
