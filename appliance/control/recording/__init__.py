"""The flight recorder: keeps what the screens showed, and shows it again as of any instant."""
