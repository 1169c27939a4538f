"""What edits do to a graph: plain functions on immutable graphs, and what a document's ``view`` holds. No Qt.

:mod:`studio.documents.document` turns their results into undo steps.
"""
