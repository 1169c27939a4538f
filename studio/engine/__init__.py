"""The engine as the window sees it: events as signals, the runs of this session, what goes on in words."""
