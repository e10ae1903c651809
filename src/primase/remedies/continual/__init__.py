"""Learning new data and new classes without forgetting what was learned before: section 4.6 of the review."""
