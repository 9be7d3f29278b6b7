"""The contract of adapters as checks, which those that ship and those of users must pass alike."""
