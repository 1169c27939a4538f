"""The graph: document, ports and values, node types, validation, plan, cache and executor.

A document is data, a plan is derived from it, an executor runs a plan. Nothing here knows of torch or of a
window.
"""
