"""What the features are made of."""
