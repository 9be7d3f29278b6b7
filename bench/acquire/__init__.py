"""How data gets onto this machine: downloads and archives."""
