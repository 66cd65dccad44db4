"""One file a check; `osprey.doctor.checks.registry` lists them."""
