"""What stands around the picture and the canvas: the Create form, the result, start page, inspector, queue
and log.

A panel is a view: it shows the document, the runs or the settings, and changes them only through their
owners.
"""
