"""How adapters are found, named and written down."""
