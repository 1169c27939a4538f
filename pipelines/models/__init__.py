"""The models a user owns: what is there (catalogue, probe), whether it is safe to open (header, safety),
how it is read (loading), and how long it stays in memory (residency). ``access`` joins them for the nodes.
Importing the modules before ``loading`` imports no torch.
"""
