"""The node editor: a scene that is a projection of the document, items that paint it, one small class per gesture.

Nothing here writes a graph except through :class:`studio.document.GraphDocument`. The widget is ``workspace.GraphWorkspace``.
"""
