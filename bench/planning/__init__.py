"""From a suite to its cells and their stages, each with a key."""
