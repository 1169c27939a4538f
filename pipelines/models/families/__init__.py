"""What is known of the families of models: the values that suit them (``facts``), what they can take and do
(``abilities``, ``controls``), and the classes of diffusers they are made of (``class_names``). No torch.
"""
