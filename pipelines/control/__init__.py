"""Control pictures from pictures: lines and edges, white on black, as control models (ControlNets) read them.

Pure functions. Depth and normals come from a model (:mod:`.depth`); poses are drawn or imported.
"""

from pipelines.control.lines import edges, line_art, scribble

__all__ = ["edges", "line_art", "scribble"]
