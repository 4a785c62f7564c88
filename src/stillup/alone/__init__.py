"""The heartbeat without a farm: settings from its own TOML, or straight from /etc/ha.d."""
