"""The application that asks: does this protein carry a signal peptide."""
