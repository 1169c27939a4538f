"""What is written into pictures and read from them: our JSON, A1111's text, other programs' JSON.

:func:`write_image` saves a picture with all of it, :func:`read_metadata` reads whatever a picture has, within
bounds.
"""

from pipelines.metadata.parameters import Parameters, format_parameters, parse_parameters
from pipelines.metadata.read import ImageMetadata, graph_of, read_metadata
from pipelines.metadata.write import FORMATS, ImageFormat, encode_image, write_image

__all__ = [
    "FORMATS",
    "ImageFormat",
    "ImageMetadata",
    "Parameters",
    "encode_image",
    "format_parameters",
    "graph_of",
    "parse_parameters",
    "read_metadata",
    "write_image",
]
