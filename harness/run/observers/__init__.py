"""What is looked at while it is measured: this client, the servers, the calendar clock, other runs."""
