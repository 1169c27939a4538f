"""Speed and memory, measured: each module measures one area and returns rows; nothing here is asserted in a
test.

``diptych bench [NAME…]`` or ``python -m pipelines.bench``. Absolute times are of one noisy machine: compare
ratios.
"""
