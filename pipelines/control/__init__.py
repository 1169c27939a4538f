"""Control pictures from pictures: lines and edges, white on black, as control models (ControlNets) read them.

Pure functions; depth and poses need models of their own and are drawn or imported.
"""

from pipelines.control.lines import edges, line_art, scribble

__all__ = ["edges", "line_art", "scribble"]
