"""Adapter of the market source: Upbit, a server compatible with it, or the built-in simulator."""
