"""The frame round the workspaces: head, tabs, messages, the panel at the side and the bottom line."""
