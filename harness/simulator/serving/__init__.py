"""HTTP: connections, routes, headers, the log."""
