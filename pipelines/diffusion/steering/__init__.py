"""What steers a drawing beside its prompt (``steering``): pictures that a model looks at itself
(``references``, ``followed``), or through an adapter (``ip_adapter``, ``ip_attention``,
``ip_transformer``).
"""
