"""What is measured of a model besides the shared scores."""
