"""The sentences of the story: what the pipeline does one after the other, and what may be asked of it besides."""
