"""What ``packaging/start.py`` does: environment, torch, packages, starter text model, then Diptych itself.

Standard library only, since nothing is installed yet. When nothing is left to do, only :mod:`main`,
:mod:`arguments`, :mod:`layout`, :mod:`stamp` and :mod:`launch` are imported, so that a start costs little.
"""
