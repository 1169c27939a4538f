"""The Qt application: window, workspaces, panels, theme and commands.

It sees graphs, schemas, errors and engine messages as plain data; it never imports torch, diffusers or
transformers.
"""
