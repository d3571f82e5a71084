"""Walk-forward evaluation against the naive benchmarks."""
