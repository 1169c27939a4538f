"""What sizes a model draws well (``size_limits``), how others are drawn (``any_size``), and how the passes
of such a drawing tell their progress (``passes``). Plain numbers: no torch.
"""
