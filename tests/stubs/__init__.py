"""Servers that speak a neighbour's real HTTP, for tests without the neighbour."""
