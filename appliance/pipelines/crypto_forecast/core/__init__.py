"""The stages of the four workflows, one module per step."""
