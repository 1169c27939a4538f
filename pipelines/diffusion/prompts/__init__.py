"""Prompts: encoded (``encoding``), naming LoRAs and embeddings (``prompt_tags``, ``tagged_models``), and
those for a part of a picture (``regions``).
"""
