"""Candles to model inputs, one code path for training and inference."""
