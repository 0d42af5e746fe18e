"""What the simulated model says, and in which tokens."""
