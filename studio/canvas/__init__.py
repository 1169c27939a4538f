"""The node editor: a scene that projects the document, items that paint it, a small class per gesture.

Nothing here writes a graph except through :class:`studio.documents.document.GraphDocument`. The widget to use
is ``workspace.GraphWorkspace``.
"""
