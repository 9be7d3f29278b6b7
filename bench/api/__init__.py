"""Shared by the command line and notebooks; `import cutjoin` is its public interface."""
