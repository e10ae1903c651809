"""The HTML report and the model card, composed of typed sections."""
