"""Networks that diffusers doesn't have, built here: control networks of other kinds and layouts, and what
reads references for an adapter.
"""
