"""The choice of config."""
