"""A run as OpenTelemetry spans and metrics."""
