"""Noise to latents: the run itself (``sampling``, ``steps``), begun late from a picture (``from_picture``),
kept where a mask says so (``differential``), or handed over to another model (``refine``).
"""
