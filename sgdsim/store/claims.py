"""Claims: which process has which block in hand, so that several share a run and none does another's work."""

import errno
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sgdsim.store.files import put_aside
from sgdsim.store.presence import Watch
from sgdsim.store.worker import this_worker

TRIES = 100
"""How often a claim is tried for: each time that it fails another process has just had it, or has just been moved."""


@dataclass(frozen=True)
class Claims:
    """The claims of a run directory.

    A claim is a symbolic link, named after what is claimed, that points to the name of the process: making one is
    atomic on every file system, network ones too, and it is never seen half made. That two ever hold the same claim, by
    taking it from a dead process in the same instant, costs time and nothing else: both make the same block, bit for
    bit, and each file is replaced as a whole.
    """

    folder: Path
    watch: Watch
    aside: Path
    """Where things go that are in the way and no claims."""

    def take(self, name: str) -> str | None:
        """Claims `name` for this process, from a dead one if need be.

        Returns None where it is ours now, else the living process that has it.

        **Raises:** OSError where it can neither be claimed nor is held, time and again.
        """
        link, mine = self.folder / name, this_worker().name
        for _ in range(TRIES):
            try:
                link.symlink_to(mine)
            except FileExistsError:
                holder = self.holder(name)
                # One's own, from before: a block that was interrupted is taken up by the same process.
                if holder == mine:
                    return None
                if holder is not None and self.watch.lives(holder):
                    return holder
                self._break(link, holder)
            else:
                return None
        raise OSError(errno.EBUSY, "cannot be claimed; delete it and run again", str(link))

    def release(self, name: str) -> None:
        """Gives up what this process has claimed."""
        # A claim that stays behind dies with its process: it costs the others a minute, not the run.
        with suppress(OSError):
            (self.folder / name).unlink(missing_ok=True)

    def release_all(self) -> None:
        """Gives up everything that this process has claimed."""
        for name in self._names():
            if self.holder(name) == this_worker().name:
                self.release(name)

    def remove_dead(self) -> None:
        """Removes the claims of processes of this host that are dead, and what is no claim."""
        for name in self._names():
            holder = self.holder(name)
            if holder is None or not self.watch.lives(holder):
                self._break(self.folder / name, holder)

    def holder(self, name: str) -> str | None:
        """The process that has claimed `name`, dead or alive; None where nobody has."""
        try:
            return str((self.folder / name).readlink())
        except OSError:
            return None

    def held(self) -> dict[str, str]:
        """All claims of living processes: what is claimed, and by whom."""
        holders = {name: self.holder(name) for name in self._names()}
        return {name: holder for name, holder in holders.items() if holder is not None and self.watch.lives(holder)}

    def _names(self) -> list[str]:
        with suppress(OSError):
            return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))
        return []

    def _break(self, link: Path, dead: str | None) -> None:
        """Removes the claim of a dead process, unless another has just done so and made its own.

        What is no claim at all (`dead` is None) is put aside, whatever it is.
        """
        moved = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            # Renamed, then looked at: between looking and unlinking another process might have taken it, and its
            # claim would go.
            link.rename(moved)
            if not moved.is_symlink():
                put_aside(moved, self.aside)
                return
            if str(moved.readlink()) != dead:
                with suppress(FileExistsError):
                    link.symlink_to(moved.readlink())
            moved.unlink()
