"""What can be found out before a run: who can be asked, whether they answer, and what their models are called."""
