"""What is done about an earlier apply before a new one begins, and after one is complete."""

import os

from stillup.node import disk
from stillup.node.compare import Known
from stillup.node.journal import JOURNALS, Journal, read_journal, remove_journal
from stillup.node.manifest import FOLDER, read_manifest
from stillup.node.world import World, at


def make_own_folders(world: World) -> None:
    """Make /var/lib/stillup and what is in it; for root's eyes only."""
    for folder in (FOLDER, JOURNALS):
        place = at(world, folder)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == place.stat().st_uid:
            place.chmod(0o700)


def known(world: World) -> Known:
    """Return what we know of our earlier work; changes nothing."""
    manifest, journal = read_manifest(world), read_journal(world)
    if manifest and journal and manifest.completes == journal.key:
        journal = None
    return Known(manifest, journal)


def recover(world: World) -> Known:
    """Return what we know of our earlier work, and clean up after what is complete."""
    journal, now = read_journal(world), known(world)
    if journal is not None and now.journal is None:
        clean(world, journal)
    return now


def clean(world: World, journal: Journal) -> None:
    """Remove what a complete change kept for going back; the journal last."""
    for path in journal.planned:
        disk.forget(at(world, path))
    remove_journal(world)
