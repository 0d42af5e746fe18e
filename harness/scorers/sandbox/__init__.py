"""Programs that a model wrote, run where they can reach nothing: what holds them is told in docs/code-execution.md."""
