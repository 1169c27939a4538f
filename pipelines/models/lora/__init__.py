"""LoRAs and their relatives: which goes with which model (``families``), how strong in which block
(``blocks``), what a file says (``weights``, ``names``, ``methods``), what it does to a weight (``changes``,
``orthogonal``), and changing a loaded model by it (``adding``, ``beside``). No torch import here.
"""
