"""What is made of a trained model: one that is calibrated anew, smaller, has learned more, or lives elsewhere."""
