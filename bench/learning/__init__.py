"""What learners that need no network share."""
