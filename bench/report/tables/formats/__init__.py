"""Table formats, one file each. The first line of a file says what it writes."""
