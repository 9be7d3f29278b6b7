"""What the datasets of `datasets/` share in reading and writing their files."""
