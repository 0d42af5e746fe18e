"""Faults and named deviations from the protocol."""
