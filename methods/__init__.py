"""Method adapters: one file per encoder, reducer, pair model, clusterer or classifier."""
