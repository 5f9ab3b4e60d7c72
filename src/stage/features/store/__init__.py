"""Features on disk and in memory."""
