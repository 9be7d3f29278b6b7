"""Records and artefacts to figures: one module per kind, each with `unfit` and `draw`."""
