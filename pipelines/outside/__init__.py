"""Nodes from outside: packages with the entry point ``diptych.nodes``, and single files in the user's folder.

They are looked at as bytes (:mod:`sources`), used only once the user has agreed to exactly these bytes
(:mod:`agreements`), and then loaded in the engine (:mod:`loading`, :mod:`library`); nowhere else.
"""
