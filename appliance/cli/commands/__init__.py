"""One module per group of commands; heavy imports inside the functions."""
