"""The stages of the four workflows; to change one, write it here in place of the import."""
