"""What keeps the database alive on a database server: runs there, standard library only.

Where there are several database servers, nobody but this daemon starts MariaDB. It decides by a
pure function (``next_step``) from what it sees here and what the other keepers tell it.

**What is where** (the parts write it; ``python3 -m stillup.keeper`` reads it):

- Code ``/usr/lib/stillup/keeper`` (``PYTHONPATH``), run as root. ``stillup-database.service`` lies
  beside this file. It is ordered after ``mariadb.service``, so that at a shutdown the keeper goes
  first and MariaDB in order after it. Its ``SIGTERM`` leaves MariaDB running. ``systemctl reload`` has
  it replaced by its program and settings as they are now, without an unanswered check.
- Settings ``/etc/stillup/database.json``, no secret in it::

      {"name": "data1", "address": "10.0.0.4", "port": 9200,
       "peers": {"data2": "10.0.0.5"}, "arbiter": "web1", "key_file": "/etc/stillup/database.key"}

  ``peers`` are the other *database* servers; ``arbiter`` is null where there is none. The key file
  holds ``Secrets.cluster_key``, 64 hexadecimal digits, mode 0600. ``check`` says whether they are right.
- ``mariadb.service`` is disabled and has the drop-in ``DROP_IN`` (text in ``mariadb-kept.service``
  beside this file): MariaDB starts only with a permit that the keeper wrote for this one start, so
  neither an upgrade of the package nor a person can start it in a way that nobody agreed on.
- MariaDB's own settings need ``pc.recovery=TRUE;pc.wait_prim=TRUE``, ``wsrep_cluster_address`` with all
  database servers *and the arbiter's address*, ``wsrep_node_name`` = the server's name,
  ``wsrep_node_address`` = ``address``. Datadir ``/var/lib/mysql``, socket ``/run/mysqld/mysqld.sock``,
  root lets itself in over the socket (``unix_socket``). The arbiter's garbd needs ``-w FOLDER`` of its own,
  kept over reboots: there it remembers who it is, which Galera asks for after a power cut. When that
  folder's ``gvwstate.dat`` names a single member, garbd was left alone: no server can join it any more (Galera
  26.4.23 aborts, "repl_proto_ver: 127"), so it is to be stopped, the file removed, and started again.

**The first birth.** A cluster is born only where the mark ``/var/lib/stillup/database-birth`` lies; it
is consumed when the cluster stands. ``birth`` makes it, and is refused where this server was ever a
member. Give it to *exactly one* server, once, when *all* database servers were reached and none of them
has ``/var/lib/stillup/database-member``; never for a server that replaces a dead one. Of a single
database that grows, the mark goes to the server that holds the data. A datadir without a cluster's mark
that holds a user's databases is never overwritten: the keeper refuses, and says so.

**Port** 9200 (TCP, HTTP, on ``address``): ``/`` is for HAProxy: 200 this is the writer, 404 well but not the
writer, 503 not usable. ``/state?nonce=HEX`` is for the other keepers: ``{"body": text of a JSON, "mac":
HMAC-SHA256 over it}``. Web servers and database servers need to reach it, nobody else.

**Commands**: ``python3 -m stillup.keeper`` followed by

- ``database`` the daemon; ``check`` its settings;
- ``state`` prints the state as JSON, see below. Exit code 1 if the daemon does not answer;
- ``ready [--within S] [--whole]`` waits until this server is a Synced member (``--whole``: until all
  database servers and the arbiter are), exit code 1 with the reason if not in time: for ``Health``;
- ``yield [--within S]`` names another writer, if this server is it, and waits until the site's
  connections here have ended; exit code 1 and a sentence if there is nobody else;
- ``restart [--within S]`` takes new settings of MariaDB into use: yields, stops MariaDB, and waits until
  it is Synced again (exit 0) or not in time (1, a sentence): one server after another;
- ``take [--within S]`` names this server the writer, if it is a Synced member; exit code as with ``yield``;
- ``birth`` makes the mark, exit code 1 if this server was a member; ``born`` exits 0 if it was;
- ``bootstrap [--force]`` says what is known and what would be lost; with ``--force`` this server's data
  become the farm's, whatever those hold that do not answer;
- ``permit`` and ``leave`` are for the drop-in alone.

**State**::

    {"name": "data1", "phase": "member", "reason": "", "cluster": UUID or null, "seqno": 17 or null,
     "usable": true, "writer": "data1" or null, "since": "2026-01-01 00:00:00" or null,
     "view": ["data1", "data2"], "size": 3, "whole": true, "room": true,
     "peers": {"data2": {"phase": "member", ...} or null if not heard}}

``phase`` is one of: ``unread`` (stopped, data not looked at yet), ``stopped`` (position known), ``empty``,
``broken`` (data without a known position), ``plain`` (databases that never belonged to the cluster), ``starting`` (no answer yet: it waits for
a primary component or receives a copy), ``joining`` (in the group, not synced), ``member`` (in the primary
component and synced or donor), ``cut off`` (runs without a majority), ``hung``, ``stopping``. ``size`` counts the arbiter.
``reason`` is one sentence for people: what it waits for. ``room`` is false where the disk of the data is all
but full or read-only: such a server is the writer only where no other can be.
"""
