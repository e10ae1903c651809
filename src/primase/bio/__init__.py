"""Biology without torch: alphabets, sequences, domains, annotated genomes."""
