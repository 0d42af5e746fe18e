"""Whether this machine can measure, found out without sending anything, and how to mend what it lacks."""
