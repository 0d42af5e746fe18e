"""What is looked at while it is measured: this client, the servers, the clocks, other runs."""
