"""What stand-ins look like: drawn particles, cells and organoids."""
