"""The estimator, and one training with it."""
