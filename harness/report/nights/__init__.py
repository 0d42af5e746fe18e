"""Figures over many runs: series, change points, what may stand in one series."""
