"""One config class per file; register it in `utils/load_spec_from_config.py`."""
