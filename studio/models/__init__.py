"""The Models workspace: every model that was found, what it is, whether it fits, what can be done with it.

``actions`` and ``work`` are made with the window; all the rest when the workspace is first shown.
"""
