"""What stand-ins are made of: drawn particles, cells and organoids, and the tables of a FlowCAM run."""
