"""Widgets: they place what presentation made, and nothing else."""
