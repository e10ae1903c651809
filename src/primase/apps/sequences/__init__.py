"""What the applications that read nucleotide sequences share: reading, probes, audit, simulators."""
