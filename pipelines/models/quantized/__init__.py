"""Weights in 8 and 4 bits: made (``quantization``), chosen (``automatic``), kept beside the original
(``packed``), and moved (``packed_layers``).
"""
