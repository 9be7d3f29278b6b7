"""Metrics of a clustering against true labels. Import its modules: `names` is light."""
