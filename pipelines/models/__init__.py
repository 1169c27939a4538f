"""The models a user owns. What there is: ``files`` (what their bytes say, and whether they are safe),
``signatures``, ``probing`` and ``families`` (what a model is, and what is known of its kind), ``records``
and ``catalogue`` (what is known of each, and of all). How they are used: ``loading``, ``parts``,
``networks``, ``quantized``, ``lora``; ``residency`` (how long they stay in memory), ``speed``, ``openvino``
and ``forecast``. Where they come from: ``offers``, ``download``, ``convert``. ``access`` joins them for the
nodes.

Importing what is named before ``loading`` imports no torch.
"""
