"""Pictures that were made: the list of them, and their files."""
