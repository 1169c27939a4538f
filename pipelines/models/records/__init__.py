"""What is known of each model: found below a folder (``walk``), examined (``examine``) with what lies
beside it (``sidecars``, ``cards``), remembered between starts (``index``, ``hashes``), and told as an entry
of the catalogue (``entries``, ``known``). No torch import here.
"""
