"""How good it is: metrics with intervals, baselines, probes, calibrators."""
