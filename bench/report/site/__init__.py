"""Records and artefacts to a static web page that opens from disk, without a server or a network."""
