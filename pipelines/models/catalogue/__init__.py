"""All the models there are: the folders that are searched, in the layouts of other programs too
(``catalogue``, ``layouts``), noticed when they change (``watching``), and kept in order (``library``). No
torch import here.
"""
