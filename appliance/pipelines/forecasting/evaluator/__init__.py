"""Walk-forward evaluation against the naive benchmarks, and the decisions that follow from evidence."""
