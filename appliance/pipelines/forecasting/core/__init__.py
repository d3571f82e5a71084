"""The stages of the four workflows, the same for every project."""
