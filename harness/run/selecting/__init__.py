"""What the user asked for, of words or of arguments: tasks, loads, suites, as a selection."""
