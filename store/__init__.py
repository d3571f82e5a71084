"""The store: the DuckDB file, its schema, its service, its tables."""
