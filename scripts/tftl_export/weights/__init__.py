"""Pretrained weights from package registries, and readers for the formats they are stored in."""
