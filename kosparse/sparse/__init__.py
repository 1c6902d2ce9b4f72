"""The sparse encoder: backbone, training without labels, encoding, search."""
