"""What the portal does, with no HTTP, HTML or terminal in it."""
