"""What the commands do, and what they may ask of a window."""
