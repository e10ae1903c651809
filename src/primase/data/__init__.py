"""Where data comes from and what it becomes: sources, examples, tasks, splits, the audit."""
