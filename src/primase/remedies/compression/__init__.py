"""Smaller networks that answer nearly the same (section 4.7 of the paper)."""
