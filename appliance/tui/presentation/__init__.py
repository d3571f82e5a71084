"""Pure functions from the board to Rich text; nothing here knows Textual or reads a clock."""
