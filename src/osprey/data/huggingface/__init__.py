"""Data sets of Hugging Face: Parquet files here, or a set of the hub."""
