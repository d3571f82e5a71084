"""Candles on a grid, tools to make features of them, labels, and whether rows can be trusted."""
