"""The application that asks: which diagnosis does this image show."""
