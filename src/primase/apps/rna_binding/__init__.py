"""The application that asks: does this protein bind this RNA."""
