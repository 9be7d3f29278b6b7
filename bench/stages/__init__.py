"""What each stage of a cell does, how it is scored, and a finished cell opened again."""
