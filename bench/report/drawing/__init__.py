"""What figures share: the base classes, the style, and what they show of a cell."""
