"""The symbolic links of one torrent (BEP 47): made where its files are complete, and again where these have moved."""

from collections.abc import Collection, Mapping

from bittern.codec.links import Link, plan_links

from .links import is_link, make_link, remove_link
from .whereabouts import Whereabouts


class Linking:
    """The links of one torrent. Where the user said what the content is, there are none: they are the user's own there.

    Args:
        where: the files are.
    """

    def __init__(self, where: Whereabouts) -> None:
        self._where = where

    def make(self, wanted: Collection[int]) -> dict[str, str]:
        """Make the links; why some were not made, by their paths. Nothing that is there is overwritten. Blocks.

        Args:
            wanted: numbers of the files that are complete, and of the links that may be made.
        """
        where = self._where
        if not where.trusted:
            return {}
        with where.lock:
            links, refused = self._plan(wanted)
            problems = {where.paths[number]: reason for number, reason in refused.items()}
            for link in links:
                self._make(link, problems)
        return problems

    def own(self) -> dict[int, tuple[str, str]]:
        """The links that are there and say what ours do, by number: where, and what they say. Blocks."""
        where = self._where
        if not where.trusted:
            return {}
        with where.lock:
            here = {link.number: (where.paths[link.number], link.text) for link in self._plan()[0]}
        return {number: link for number, link in here.items() if is_link(*link, where.trusted)}

    def follow(self, before: Mapping[int, tuple[str, str]]) -> dict[str, str]:
        """After files moved, let the links that `own` found before do so; why some did not. Blocks."""
        problems: dict[str, str] = {}
        with self._where.lock:
            paths, now = self._where.paths, {link.number: link for link in self._plan()[0]}
            for number, (path, text) in before.items():
                link = now.get(number)
                if link is not None and (paths[number], link.text) == (path, text):
                    continue
                if link is not None and paths[number] != path:  # whole at one of the two places at every moment
                    self._make(link, problems)
                try:
                    remove_link(path, text, self._where.trusted)
                except OSError as error:
                    problems[path] = str(error.strerror)
                if link is not None and paths[number] == path:
                    self._make(link, problems)
        return problems

    def _plan(self, wanted: Collection[int] | None = None) -> tuple[list[Link], dict[int, str]]:
        files = self._where.info.files
        if not any(file.symlink is not None for file in files):
            return [], {}
        root = str(self._where.root).rstrip("/") + "/"
        own = [self._where.own(number) for number in range(len(files))]
        return plan_links(files, [path[len(root) :] if path.startswith(root) else "" for path in own], wanted)

    def _make(self, link: Link, problems: dict[str, str]) -> None:
        path = self._where.paths[link.number]
        try:
            make_link(path, link.text, self._where.trusted)
        except FileExistsError:
            problems[path] = "something else is in its place"
        except OSError as error:
            problems[path] = str(error.strerror)
