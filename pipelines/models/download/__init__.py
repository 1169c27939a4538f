"""Fetching models: from the Hugging Face hub and from plain https addresses, by our own downloader.

``addresses`` and ``connection`` decide whom to talk to; ``transfer`` brings one file, from where it
ended; ``hub`` lists a repository and ``selection`` chooses from it; ``jobs`` brings a whole model and has it
checked before it is one.
"""
