"""How Sphinx builds the site: ``make docs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

import partialbatch

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "partialbatch"
version = release = partialbatch.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["build"]
default_role = "code"  # docstrings name things between single backticks

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # they need imports that the package makes for type checkers alone
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"partialbatch {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False

# Files of the repository that are pages here, by the name under which they link to one another.
PAGES = {
    "CHANGELOG.rst": "changes.html",
    "CONTRIBUTING.rst": "contributing.html",
    "docs/architecture.rst": "architecture.html",
}


def lead_to_pages(_app: Sphinx, doctree: nodes.document) -> None:
    """Let links between files of the repository lead to their pages."""
    for link in doctree.findall(nodes.reference):
        if link.get("refuri") in PAGES:
            link["refuri"] = PAGES[link["refuri"]]


def leave_options_to_their_table(
    _app: Sphinx, _kind: str, name: str, _documented: object, _settings: object, lines: list[str]
) -> None:
    """Cut the options from the decorator's docstring: the reference has a table of them, made from it."""
    if name == "partialbatch.batch_handler":
        begin = lines.index("Keyword Args:")
        del lines[begin : lines.index("Returns:", begin)]


def setup(app: Sphinx) -> None:
    """Register what this site adds."""
    app.connect("doctree-read", lead_to_pages)
    app.connect("autodoc-process-docstring", leave_options_to_their_table, priority=400)  # before napoleon
