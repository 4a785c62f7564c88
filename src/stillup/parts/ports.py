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

GALERA = 4567
"""Galera's own words, between the database servers and their tie-breaker."""
IST = 4568
"""What a database server missed while it was away, from another one."""
SST = 4444
"""The whole database, to a database server that has none, from another one."""
KEEPER = 9200
"""The database's keeper: which server takes writes, and what each knows."""
NFS = 2049
"""The one storage server, from the web servers."""
GLUSTERD = 24007
"""Gluster's management, between its servers and from the web servers."""
BRICKS = range(49152, 49216)
"""Gluster's bricks, which it numbers itself."""
