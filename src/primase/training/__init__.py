"""How a network learns: configuration, the Lightning modules, fit."""
