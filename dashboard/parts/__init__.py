"""Parts of pages that are an idea of their own: they draw and ask, and nothing else."""
