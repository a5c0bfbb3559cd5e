"""Other algorithms on the same runs."""
