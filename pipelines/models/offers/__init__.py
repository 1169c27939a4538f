"""Models to get: a list with licences and sizes (``curated``), and which of them suit this machine
(``suggestions``).
"""
