"""What the applications on gene expression share: reading, scaling, splitting, audit, data sets, simulator."""
