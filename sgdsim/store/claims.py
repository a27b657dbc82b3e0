"""Claims: which process has which block in hand, so that several share a run and none does another's work."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sgdsim.store.presence import Watch
from sgdsim.store.worker import this_worker


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

    def take(self, name: str) -> str | None:
        """Claims `name` for this process, from a dead one if need be.

        Returns None where it is ours now, else the living process that has it.
        """
        link, mine = self.folder / name, this_worker().name
        while True:
            try:
                link.symlink_to(mine)
            except FileExistsError:
                holder = self.holder(name)
                # One's own, from before: a block that was interrupted is taken up by the same process.
                if holder == mine:
                    return None
                if holder is not None and self.watch.lives(holder):
                    return holder
                if holder is not None:
                    self._break(link, holder)
            else:
                return None

    def release(self, name: str) -> None:
        """Gives up what this process has claimed."""
        # A claim that stays behind dies with its process: it costs the others a minute, not the run.
        with suppress(OSError):
            (self.folder / name).unlink(missing_ok=True)

    def release_all(self) -> None:
        """Gives up everything that this process has claimed."""
        for path in self.folder.iterdir() if self.folder.is_dir() else []:
            if self.holder(path.name) == this_worker().name:
                self.release(path.name)

    def remove_dead(self) -> None:
        """Removes the claims of processes of this host that are dead."""
        for path in self.folder.glob("[!.]*"):
            holder = self.holder(path.name)
            if holder is not None and not self.watch.lives(holder):
                self._break(path, holder)

    def holder(self, name: str) -> str | None:
        """The process that has claimed `name`, dead or alive; None where nobody has."""
        try:
            return str((self.folder / name).readlink())
        except OSError:
            return None

    def held(self) -> dict[str, str]:
        """All claims of living processes: what is claimed, and by whom."""
        claims = {}
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            holder = self.holder(path.name)
            if holder is not None and not path.name.startswith(".") and self.watch.lives(holder):
                claims[path.name] = holder
        return claims

    def _break(self, link: Path, dead: str) -> None:
        """Removes the claim of a dead process, unless another has just done so and made its own."""
        aside = link.with_name(f".{link.name}.{this_worker().name}")
        with suppress(FileNotFoundError):
            # Renamed, then looked at: between looking and unlinking another process might have taken it, and its
            # claim would go.
            link.rename(aside)
            if str(aside.readlink()) != dead:
                with suppress(FileExistsError):
                    link.symlink_to(aside.readlink())
            aside.unlink()
