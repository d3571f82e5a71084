"""Owner of every process of one home: starts, watches, restarts and stops them."""
