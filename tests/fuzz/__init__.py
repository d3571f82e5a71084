"""Odd input of every kind, generated from tables: nothing of it ends in an unexpected error."""
