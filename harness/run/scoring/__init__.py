"""From the journal to scores and verdicts, as often as one likes."""
