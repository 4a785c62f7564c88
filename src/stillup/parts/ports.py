"""The ports that parts agree on; each is opened by the firewall from its users only."""

HTTP = 80
HTTPS = 443
PEERS = 1024
"""HAProxy's tables, from balancer to balancer."""
DATABASE = 3306
STATS = 8404
"""HAProxy's statistics and metrics, on the loopback address only."""
ALIVE = 8405
"""Asked by the heartbeat, on the loopback address only."""
PING = 8406
"""nginx's and PHP's own state, on the loopback address only."""
