"""Which web server gives and takes the shared files: one on which their storage is mounted.

Where it is not, the folders look as if they were empty: a backup of that has no files, and what is
restored lies on that server's own disk, under the mount when it comes.
"""

from stillup.deploy.session import Sessions, raise_all, together
from stillup.errors import BackupFailed
from stillup.model.farm import Farm, Role

WITHIN_S = 30.0


async def mounted_on(farm: Farm, sessions: Sessions) -> str:
    """Return the first web server of the farm file that has the shared storage mounted.

    Raises:
        StillupError: If none has: with each one's reason.
    """
    webs = [web.name for web in farm.having(Role.WEB)]
    asked = {
        name: sessions.open[name].request(
            "backup.mounted", {"mount": farm.storage.mount}, within_s=WITHIN_S
        )
        for name in webs
        if name in sessions.open
    }
    done, failed = await together(asked)
    if done:
        return next(iter(done))
    raise_all(
        [
            *failed.values(),
            *(sessions.unreached[name] for name in webs if name in sessions.unreached),
        ]
    )
    raise BackupFailed("the farm has no web server, so nobody has its shared files")
