"""Control networks in a run: what all have in common (``control``), and those of each architecture."""
