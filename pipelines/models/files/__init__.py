"""What the bytes of a model's file say, read by our own bounded code before any library sees them
(``header``, ``gguf_header``, ``pickles``); whether the file is safe to open (``safety``); and reading it
through with progress and cancel (``reading``). No torch import here.
"""
