"""The model registry: training runs, versions, aliases, and the promotion gate."""
