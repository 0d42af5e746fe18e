"""Every request before one is sent, what that will take, and what follows from answers."""
