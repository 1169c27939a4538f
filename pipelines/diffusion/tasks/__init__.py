"""What the nodes call, from inputs to pictures: drawing from a prompt, from a picture, behind a mask, in
several passes, and enlarging.
"""
