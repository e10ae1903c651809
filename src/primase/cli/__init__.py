"""The commands, and the only room that prints."""
