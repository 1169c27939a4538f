"""Latents: what shape each model's have (``shape``), made from pictures (``encode_image``), turned into
pictures (``decoding``), and shown while they form (``preview``).
"""
