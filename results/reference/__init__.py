"""Tables of the source papers, as data."""
