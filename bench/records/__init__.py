"""Files on disk during and after a run: artefacts, records, results; and the published tables."""
