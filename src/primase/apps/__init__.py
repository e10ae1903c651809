"""The applications: one folder each, found by discovery."""
