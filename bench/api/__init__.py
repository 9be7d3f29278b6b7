"""What the command line and a notebook use alike; `import cutjoin` is its public face."""
