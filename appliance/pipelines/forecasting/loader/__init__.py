"""Reads of the store in the shape that the preprocessor takes."""
