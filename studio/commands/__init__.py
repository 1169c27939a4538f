"""Every command of the studio, rows of one table: menus, shortcuts, palette and help come from it."""
