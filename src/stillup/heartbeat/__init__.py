"""The virtual-IP daemon; runs on the servers: standard library and libnftables only."""
