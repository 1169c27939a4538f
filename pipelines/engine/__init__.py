"""The engine: messages, the process that runs graphs, its worker threads, and the client that talks to it.

A client never imports torch; the engine does so only when a model is first needed.
"""
