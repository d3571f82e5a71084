"""A terminal-operated machine-learning appliance for one VM."""

__version__ = "0.1.0"
