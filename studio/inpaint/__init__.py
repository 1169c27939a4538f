"""The Canvas workspace: what is wanted of a picture, its candidates, and the files that come and go.

Its modules import numpy, as those of :mod:`studio.mask` do: import them when the canvas is first opened, not
when the application starts.
"""
