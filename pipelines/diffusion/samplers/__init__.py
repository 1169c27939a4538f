"""Samplers and schedules: those there are (``table``, no torch), the levels of noise they mean
(``schedules``, ``levels``), what makes diffusers follow them (``scheduling``), and the first noise of a
picture (``noise``).
"""
