"""Nodes from outside as the studio sees them: descriptions from the engine, and what the user agrees to.

Their code is shown here, never imported.
"""
