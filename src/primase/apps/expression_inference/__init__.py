"""Expression of the genes that were not measured, from those that were (section 3.2 of the review)."""
