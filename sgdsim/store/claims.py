"""Claims: which process has which block in hand, so that several share a run and none does another's work."""

import errno
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sgdsim.store.files import NO_LINKS, create_text, put_aside, read_bytes
from sgdsim.store.presence import Watch
from sgdsim.store.worker import Worker, this_worker

LONGEST = 400
"""Bytes of the name of a process at most."""
_NO_RIGHT = 1314
"""ERROR_PRIVILEGE_NOT_HELD of Windows: this user must not make links."""
TRIES = 100
"""How often a claim is tried for: each time that it fails another process has just had it, or has just been moved."""


@dataclass(frozen=True)
class Claims:
    """The claims of a run directory.

    A claim is a symbolic link, named after what is claimed, that points to the name of the process: making one is
    atomic on every file system, network ones too, and it is never seen half made. Where links cannot be made, as on
    Windows without the right to, it is a file that holds the name. That two ever hold the same claim, by
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
                _make(link, mine)
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
        return _held(self.folder / name)

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
            holder = _held(moved)
            if holder is None:
                put_aside(moved, self.aside)
                return
            if holder != dead:
                with suppress(FileExistsError):
                    _make(link, holder)
            moved.unlink()


def _make(link: Path, holder: str) -> None:
    """Makes a claim. **Raises:** FileExistsError where there is one, OSError where none can be made."""
    try:
        link.symlink_to(holder)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS and getattr(error, "winerror", None) != _NO_RIGHT:
            raise
        if not create_text(link, holder):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(link)) from None


def _held(claim: Path) -> str | None:
    """Whose claim it is; None where it is none, or is gone."""
    try:
        return str(claim.readlink())
    except OSError:
        pass
    try:
        return Worker.parse(read_bytes(claim, LONGEST).decode()).name
    except (OSError, ValueError):
        return None
