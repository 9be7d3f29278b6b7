"""The figures. One file is one figure: the name of the file is its name, its first line what it shows."""
