"""The papers that sgdsim rests on, and which of them an experiment uses: for `sgdsim cite`, the page, and CITATION.cff.

This is the one place that holds them. A new paper is an entry of `SOURCES`, and its key stands in one of the tables
below: of the system, figure or setting that takes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sgdsim._version import __version__

TITLE = "sgdsim: GPU-accelerated Monte Carlo of SGD in two-layer networks, held against exact theory"
AUTHORS = "The sgdsim developers"
_LATEX = {"á": r"{\'a}", "é": r"{\'e}", "ï": r"{\"i}", "Ş": r"{\c{S}}", "ş": r"{\c{s}}", "&": r"\&"}
"""Letters that old BibTeX does not sort or print, as it writes them."""


@dataclass(frozen=True)
class Paper:
    """A paper.

    - `key`: of its entry in a .bib file; `kind`: "article" or "inproceedings".
    - `authors`: "Family, Given and Family, Given", as BibTeX has them.
    - `venue`: the journal, or the proceedings; `fields`: what BibTeX has beside, e.g. volume, pages, doi.
    - `arxiv`: its number there; empty where it has none.
    """

    key: str
    kind: str
    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def bibtex(self) -> str:
        """The entry of a .bib file, in ASCII, without a newline at its end."""
        place = "journal" if self.kind == "article" else "booktitle"
        # Two braces: capitals such as those of SGD stay.
        entries = {"author": self.authors, "title": f"{{{self.title}}}", place: self.venue}
        entries |= {"year": str(self.year), **self.fields}
        entries |= {"eprint": self.arxiv, "archivePrefix": "arXiv"} if self.arxiv else {}
        return _entry(self.kind, self.key, entries)

    @property
    def text(self) -> str:
        """The paper in a line: "R. Veiga, ..., Phase diagram ..., Advances ... 35 (2022), arXiv:2202.00293"."""
        where = " ".join(part for part in (self.venue, self.fields.get("volume", ""), f"({self.year})") if part)
        arxiv = [f"arXiv:{self.arxiv}"] if self.arxiv else []
        return ", ".join([*map(_initials, self.authors.split(" and ")), self.title, where, *arxiv])

    @property
    def url(self) -> str:
        """Where it is: its DOI, or else arXiv; empty where neither is known."""
        if "doi" in self.fields:
            return f"https://doi.org/{self.fields['doi']}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.fields.get("url", "")


def _initials(author: str) -> str:
    """An author with initials before the family name, e.g. R. Veiga."""
    family, given = author.split(", ")
    return " ".join([*(f"{name[0]}." for name in given.replace("-", " ").split()), family])


def _entry(kind: str, key: str, entries: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{_latex(text, name)}}}," for name, text in entries.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _latex(text: str, name: str) -> str:
    # An underscore or ampersand of an address is one, not a command of TeX.
    return text if name in ("doi", "url") else "".join(_LATEX.get(letter, letter) for letter in text)


_NEURIPS = "Advances in Neural Information Processing Systems"
_ICML_2024 = "Proceedings of the 41st International Conference on Machine Learning"
_PMLR_2024 = {"series": "Proceedings of Machine Learning Research", "volume": "235"}

SOURCES: Mapping[str, Paper] = {
    paper.key: paper
    for paper in (
        Paper(
            "veiga2022",
            "inproceedings",
            "Veiga, Rodrigo and Stephan, Ludovic and Loureiro, Bruno and Krzakala, Florent and Zdeborová, Lenka",
            "Phase diagram of stochastic gradient descent in high-dimensional two-layer neural networks",
            _NEURIPS,
            2022,
            "2202.00293",
            {"volume": "35", "pages": "23244--23255"},
        ),
        Paper(
            "saad1995",
            "article",
            "Saad, David and Solla, Sara A.",
            "On-line learning in soft committee machines",
            "Physical Review E",
            1995,
            fields={"volume": "52", "number": "4", "pages": "4225--4243", "doi": "10.1103/PhysRevE.52.4225"},
        ),
        Paper(
            "goldt2019",
            "inproceedings",
            "Goldt, Sebastian and Advani, Madhu and Saxe, Andrew M. and Krzakala, Florent and Zdeborová, Lenka",
            "Dynamics of stochastic gradient descent for two-layer neural networks in the teacher-student setup",
            _NEURIPS,
            2019,
            "1906.08632",
            {"volume": "32"},
        ),
        Paper(
            "benarous2021",
            "article",
            "Ben Arous, Gérard and Gheissari, Reza and Jagannath, Aukosh",
            "Online stochastic gradient descent on non-convex losses from high-dimensional inference",
            "Journal of Machine Learning Research",
            2021,
            fields={"volume": "22", "number": "106", "pages": "1--51"},
        ),
        Paper(
            "arnaboldi2024",
            "inproceedings",
            "Arnaboldi, Luca and Dandi, Yatin and Krzakala, Florent and Loureiro, Bruno"
            " and Pesce, Luca and Stephan, Ludovic",
            "Online learning and information exponents: The importance of batch size & time/complexity tradeoffs",
            _ICML_2024,
            2024,
            "2406.02157",
            {**_PMLR_2024, "pages": "1730--1762"},
        ),
        Paper(
            "dandi2024",
            "inproceedings",
            "Dandi, Yatin and Troiani, Emanuele and Arnaboldi, Luca and Pesce, Luca"
            " and Zdeborová, Lenka and Krzakala, Florent",
            "The benefits of reusing batches for gradient descent in two-layer networks: Breaking the curse of"
            " information and leap exponents",
            _ICML_2024,
            2024,
            "2402.03220",
            {**_PMLR_2024, "pages": "9991--10016"},
        ),
        Paper(
            "worschech2025",
            "inproceedings",
            "Worschech, Roman and Rosenow, Bernd",
            "Analyzing neural scaling laws in two-layer networks with power-law data spectra",
            "International Conference on Learning Representations",
            2025,
            "2410.09005",
        ),
        Paper(
            "xiao2024",
            "article",
            "Xiao, Ke Liang and Marshall, Noah and Agarwala, Atish and Paquette, Elliot",
            "Exact risk curves of signSGD in high-dimensions: Quantifying preconditioning and noise-compression"
            " effects",
            "arXiv preprint",
            2024,
            "2411.12135",
        ),
        Paper(
            "polyak1992",
            "article",
            "Polyak, Boris T. and Juditsky, Anatoli B.",
            "Acceleration of stochastic approximation by averaging",
            "SIAM Journal on Control and Optimization",
            1992,
            fields={"volume": "30", "number": "4", "pages": "838--855", "doi": "10.1137/0330046"},
        ),
        Paper(
            "debortoli2020",
            "inproceedings",
            "De Bortoli, Valentin and Durmus, Alain and Fontaine, Xavier and Şimşekli, Umut",
            "Quantitative propagation of chaos for SGD in wide neural networks",
            _NEURIPS,
            2020,
            "2007.06352",
            {"volume": "33", "pages": "278--288"},
        ),
        Paper(
            "liu2020",
            "inproceedings",
            "Liu, Shengchao and Papailiopoulos, Dimitris and Achlioptas, Dimitris",
            "Bad global minima exist and SGD can reach them",
            _NEURIPS,
            2020,
            "1906.02613",
            {"volume": "33"},
        ),
        Paper(
            "mei2018",
            "article",
            "Mei, Song and Montanari, Andrea and Nguyen, Phan-Minh",
            "A mean field view of the landscape of two-layer neural networks",
            "Proceedings of the National Academy of Sciences",
            2018,
            "1804.06561",
            {"volume": "115", "number": "33", "pages": "E7665--E7671", "doi": "10.1073/pnas.1806579115"},
        ),
        Paper(
            "ghorbani2019",
            "inproceedings",
            "Ghorbani, Behrooz and Mei, Song and Misiakiewicz, Theodor and Montanari, Andrea",
            "Limitations of Lazy Training of Two-layers Neural Networks",
            "Advances in Neural Information Processing Systems",
            2019,
            "1906.08899",
            {"volume": "32"},
        ),
        Paper(
            "chizat2018",
            "inproceedings",
            "Chizat, Lénaïc and Bach, Francis",
            "On the global convergence of gradient descent for over-parameterized models using optimal transport",
            _NEURIPS,
            2018,
            "1805.09545",
            {"volume": "31", "pages": "3036--3046"},
        ),
        Paper(
            "kamali2023sgd",
            "article",
            "Kamali, Persia Jana and Urbani, Pierfrancesco",
            "Stochastic gradient descent outperforms gradient descent in recovering a high-dimensional signal in a"
            " glassy energy landscape",
            "arXiv preprint",
            2023,
            "2309.04788",
        ),
        Paper(
            "kamali2023dmft",
            "article",
            "Kamali, Persia Jana and Urbani, Pierfrancesco",
            "Dynamical mean field theory for models of confluent tissues and beyond",
            "SciPost Physics",
            2023,
            "2306.06420",
            {"volume": "15", "number": "5", "pages": "219"},
        ),
        Paper(
            "salmon2011",
            "inproceedings",
            "Salmon, John K. and Moraes, Mark A. and Dror, Ron O. and Shaw, David E.",
            "Parallel random numbers: as easy as 1, 2, 3",
            "International Conference for High Performance Computing, Networking, Storage and Analysis",
            2011,
            fields={"pages": "1--12", "doi": "10.1145/2063384.2063405"},
        ),
    )
}

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "committee": ("veiga2022", "saad1995"),
    "meanfield": ("debortoli2020", "mei2018"),
    "recovery": ("kamali2023sgd", "kamali2023dmft"),
    "classification": ("debortoli2020",),
}
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "phase_diagram": ("veiga2022",),
    "second_layer": ("goldt2019",),
    "radial": ("mei2018",),
    "bridge": ("veiga2022", "saad1995"),
    "support": ("chizat2018",),
    "averages": ("polyak1992",),
    "regimes": ("ghorbani2019",),
    "weight_histograms": ("debortoli2020",),
    "aging": ("kamali2023sgd",),
    "effective_temperature": ("kamali2023sgd",),
}
_SETTINGS: Mapping[str, tuple[tuple[str, Any, str], ...]] = {
    "committee": (
        ("soft", False, "goldt2019"),
        ("gamma_a", 0.0, "goldt2019"),
        ("degree", None, "benarous2021"),
        ("mu", 0.0, "arnaboldi2024"),
        ("reuse", 1, "dandi2024"),
        ("spectrum", 0.0, "worschech2025"),
        ("average", False, "polyak1992"),
    ),
    "classification": (("random_labels", 0, "liu2020"),),
    "meanfield": (("support", "all", "chizat2018"),),
}
"""Of each system (key, plain value, paper): who sets the key to another value, in a table or along an axis, uses it."""
_VALUES: Mapping[str, tuple[tuple[str, Any, str], ...]] = {"committee": (("optimiser", "sign", "xiao2024"),)}
"""Of each system (key, value, paper): who sets the key to this value uses it."""
_GENERATOR = "salmon2011"
"""The random numbers of every simulation."""


def sources_of(experiment: Mapping[str, Any]) -> tuple[Paper, ...]:
    """The papers that an experiment uses: of its system, its figures and its settings, and of its random numbers.

    - `experiment`: its file as `tomllib` reads it, as shipped or as a run keeps it; of a system alone
      {"system": "committee"}. Its table [quick] counts for nothing.

    A system or figure of an installed package has none here: its own documentation says what to cite.
    """
    tables = {name: table for name, table in experiment.items() if name != "quick"}
    system = str(tables.get("system", ""))
    keys = list(SYSTEMS.get(system, ()))
    for name in _values(tables.get("report"), "figures"):
        keys += _FIGURES.get(str(name), ())
    for name, usual, paper in _SETTINGS.get(system, ()):
        keys += [paper for value in _values(tables, name) if value != usual][:1]
    for name, own, paper in _VALUES.get(system, ()):
        keys += [paper for value in _values(tables, name) if value == own][:1]
    if "none" not in _values(tables.get("simulator"), "kind"):
        keys.append(_GENERATOR)
    return tuple(SOURCES[key] for key in dict.fromkeys(keys))


def _values(table: Any, name: str) -> Iterator[Any]:
    """The values of a key anywhere in a table, those along an axis one by one."""
    if isinstance(table, list):
        for inner in table:
            yield from _values(inner, name)
    elif isinstance(table, dict):
        for key, value in table.items():
            if key == name and not isinstance(value, dict):
                yield from value if isinstance(value, list) else [value]
            else:
                yield from _values(value, name)


def software() -> str:
    """The BibTeX entry of sgdsim itself, of this version."""
    return _entry("software", "sgdsim", {"author": f"{{{AUTHORS}}}", "title": f"{{{TITLE}}}", "version": __version__})
