"""The application that asks: which proteins interact."""
