"""The trained model and its bundle on disk."""
