"""What would this image look like at a higher resolution? A residual generator, and one trained as part of a GAN."""
