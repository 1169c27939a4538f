"""The image canvas: tiled surfaces, brush engine, layers, selection tools, and the widgets that show them.

``studio.mask.mask_canvas`` is what a workspace embeds. Its modules import numpy, so import it when the canvas
is first opened, not when the application starts.
"""
