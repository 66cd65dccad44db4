"""The service: bundles that answer over HTTP, without PyTorch."""
