"""Control pictures from pictures: lines and edges, white on black, as control models (ControlNets) read them.

Pure functions. Depth, normals (:mod:`.depth`) and poses (:mod:`.pose`) come from models.
"""

from pipelines.control.lines import edges, line_art, scribble

__all__ = ["edges", "line_art", "scribble"]
