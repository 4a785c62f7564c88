"""What runs on a server beside the heartbeat: applies a bundle, tells the server's state."""
