"""Screens: full pages and the dialogs over them."""
