"""The forecaster's socket: what it says about itself."""
