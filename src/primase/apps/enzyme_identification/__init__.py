"""The application that asks: is this protein an enzyme, and of which class."""
