"""Look: tokens (the only colours), palette, style and style sheet made from them, icons that recolour
themselves.

Widgets ask :func:`current_theme` for colours, fonts and icons, and repaint on its ``changed`` signal.
"""

from studio.theme.theme import Theme, current_theme
from studio.theme.tokens import Tokens

__all__ = ["Theme", "Tokens", "current_theme"]
