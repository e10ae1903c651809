"""What section 4 of the paper prescribes against the weaknesses of deep networks."""
