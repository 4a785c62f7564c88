"""What is done about an earlier apply before a new one begins, and after one is complete."""

import os

from stillup.node import disk, manifest
from stillup.node import journal as journals
from stillup.node.compare import Known
from stillup.node.journal import JOURNALS, Journal, read_journal, remove_journal
from stillup.node.manifest import FOLDER
from stillup.node.moves import remove_empty_folders
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
    applied, journal = manifest.read_manifest(world), read_journal(world)
    if applied and journal and applied.completes == journal.key:
        journal = None
    return Known(applied, journal)


def recover(world: World) -> Known:
    """Return what we know of our earlier work, and clean up after what is complete."""
    for path in (manifest.PATH, journals.PATH):
        disk.new_of(at(world, path)).unlink(missing_ok=True)
    journal, now = read_journal(world), known(world)
    if journal is not None and now.manifest is not None and now.journal is None:
        clean(world, now.manifest, journal)
    return now


def clean(world: World, applied: manifest.Manifest, journal: Journal) -> None:
    """Remove what a complete change kept for going back, and what it left empty; the journal last."""
    for path in journal.planned:
        disk.forget(at(world, path))
    used = {
        path.rsplit("/", count)[0] for path in applied.paths for count in range(1, path.count("/"))
    }
    remove_empty_folders(world, set(applied.folders) - used)
    remove_journal(world)
