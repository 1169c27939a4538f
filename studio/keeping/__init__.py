"""What is kept so that nothing is lost: session, journal, earlier versions; files that others change."""
