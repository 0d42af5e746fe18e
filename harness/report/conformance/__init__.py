"""What probes found: matrix, evidence, lockfile."""
