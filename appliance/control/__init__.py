"""The control plane: one Protocol, its HTTP server and its client."""
