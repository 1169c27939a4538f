"""The Create workspace: a form of what the graph offers and the model can take, and the picture.

Each edit is one undo step of the document; what others change is shown at once.
"""
