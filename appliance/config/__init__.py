"""Configuration, secrets, and where state lives."""
