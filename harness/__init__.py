"""Evaluation and benchmarking harness across OpenAI-compatible endpoints."""

__version__ = "0.1.0"
