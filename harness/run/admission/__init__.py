"""What a request passes before it goes: breaker, budget, rate limits, limits of a day, cache."""
