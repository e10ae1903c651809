"""What the applications on images share: reading, decoding, auditing and dividing them."""
