"""Parts of ``classify`` that one photo has no use for."""
