"""Presets: a model, what changes it, the pictures that steer it and its settings, kept under a name.

:mod:`.preset` is one as data, :mod:`.capture` makes it of a graph, :mod:`.apply` makes a graph of it,
:mod:`.store` keeps them as files; :mod:`.actions` is what the commands do.
"""
