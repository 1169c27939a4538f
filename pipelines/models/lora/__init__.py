"""LoRAs and their relatives: which goes with which model (``families``), how strong in which block
(``blocks``), what a file says (``weights``, ``names``, ``lycoris``), and changing a loaded model by it
(``adding``). No torch import here.
"""
