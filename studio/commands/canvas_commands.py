"""The commands of the Canvas workspace, rows of the one table in :mod:`studio.commands.table`. Plain data."""

from __future__ import annotations

from typing import Final

from studio.commands.command import Command

MENU: Final = "Canvas"

CANVAS_COMMANDS: Final[tuple[Command, ...]] = (
    Command("canvas.open", "Open a picture on the canvas…", "Ctrl+Shift+K", MENU,
            lambda s: s.canvas.into.open_picture(),
            icon="image"),
    Command("canvas.from_result", "Edit the picture on the canvas", "Ctrl+K", MENU,
            lambda s: s.canvas.into.take_result(), lambda s: s.has_result(), "canvas"),
    Command("canvas.blank", "Empty sheet…", "Ctrl+Alt+N", MENU,
            lambda s: s.canvas.into.blank(), icon="new"),
    Command("canvas.apply", "Apply the result", "Ctrl+Alt+Return", MENU,
            lambda s: s.canvas.apply(),
            lambda s: s.has_canvas_results(), "check", break_before=True),
    Command("canvas.apply_all", "Apply all results as layers", "Ctrl+Alt+Shift+Return", MENU,
            lambda s: s.canvas.apply_all(),
            lambda s: s.has_canvas_results(), "layers"),
    Command("canvas.discard", "Discard the results", "Ctrl+Alt+Backspace", MENU,
            lambda s: s.canvas.discard(),
            lambda s: s.has_canvas_results(), "close"),
    Command("canvas.upscale", "Enlarge the picture", "Ctrl+Alt+U", MENU,
            lambda s: s.canvas.upscale(),
            lambda s: s.has_canvas(), "upscale", break_before=True),
    Command("canvas.crop", "Crop to the mask", "Ctrl+Alt+C", MENU,
            lambda s: s.canvas.crop_to_mask(),
            lambda s: s.has_canvas(), "frame"),
    Command("canvas.scale", "Scale the canvas…", "Ctrl+Alt+T", MENU,
            lambda s: s.canvas.scale(),
            lambda s: s.has_canvas(), "transform"),
    Command("canvas.to_create", "Send to the filmstrip", "Ctrl+Alt+F", MENU,
            lambda s: s.canvas.out.send_to_filmstrip(),
            lambda s: s.has_canvas(), "create"),
    Command("canvas.edit_in", "Edit in another program…", "Ctrl+Alt+P", MENU,
            lambda s: s.canvas.out.edit_elsewhere(),
            lambda s: s.has_canvas(), "pen"),
    Command("canvas.import_mask", "Import a mask…", "Ctrl+Alt+I", MENU,
            lambda s: s.canvas.into.import_mask(),
            lambda s: s.has_canvas(), "mask", break_before=True),
    Command("canvas.export_mask", "Export the mask…", "Ctrl+Alt+M", MENU,
            lambda s: s.canvas.out.export_mask(),
            lambda s: s.has_canvas(), "mask"),
    Command("canvas.save_picture", "Save the picture as…", "Ctrl+Alt+S", MENU,
            lambda s: s.canvas.out.save_picture(),
            lambda s: s.has_canvas(), "save_as"),
    Command("canvas.save_layers", "Save with layers as OpenRaster…", "Ctrl+Alt+Shift+S", MENU,
            lambda s: s.canvas.out.save_layers(),
            lambda s: s.has_canvas(), "layers"),
)  # fmt: skip
