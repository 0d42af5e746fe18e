"""What a request passes before it goes: breaker, budget, rate limits, cache."""
