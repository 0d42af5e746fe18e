"""What was asked, as strictly as the documented API says it."""
