"""Dataset adapters: one file reads one on-disk layout."""
