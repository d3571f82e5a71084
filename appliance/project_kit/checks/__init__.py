"""The checks of the conformance kit: of the sources, and of what the code does."""
