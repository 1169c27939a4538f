"""LoRAs and their relatives: how strong in which block (``blocks``), what a file says (``weights``,
``names``, ``methods``), what it does to a weight (``changes``, ``orthogonal``), and changing a loaded model
by it (``adding``, ``beside``); textual inversions (``embeddings``). Which goes with which model is found out
in :mod:`pipelines.models.probing`. No torch import here.
"""
