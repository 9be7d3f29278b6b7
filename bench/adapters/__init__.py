"""Discovery, identity and serialization of adapters."""
