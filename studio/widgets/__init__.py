"""Small reusable widgets: fields, pickers, the image view, the filmstrip, banners, the command palette.

Each knows the theme and nothing of documents or engines; ``param_editors`` makes editors from a node's
schema.
"""
