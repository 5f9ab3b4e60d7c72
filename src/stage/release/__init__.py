"""The authors' release: reading and packing features, importing checkpoints."""
