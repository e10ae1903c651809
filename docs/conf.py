"""How the site is built: ``make docs``. Every warning is an error."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# The tutorial trains in a folder of its own, with a cache of its own, and leaves its report for readers to open.
REPORTS: Final = HERE / "generated" / "files"
SCRATCH: Final = tempfile.TemporaryDirectory(prefix="primase-docs-")
os.environ["PRIMASE_CACHE"] = str(Path(SCRATCH.name) / "cache")
os.environ["PRIMASE_DOCS_FILES"] = str(REPORTS)
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"

from generate import write_pages  # noqa: E402  # needs the path above

from primase.configuration import Section  # noqa: E402
from primase.versions import PRIMASE  # noqa: E402

write_pages()
REPORTS.mkdir()

project = "Primase"
author = "The Primase developers"
copyright = "The Primase developers, MIT licence"
release = version = PRIMASE

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
exclude_patterns = ["_build", "how-to/signal_peptide", "generated/files"]
html_extra_path = ["generated/files"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 600

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Listener": "primase.events.Listener"}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Names of our own must resolve, except private ones, type variables (SomethingT) and the alias above. Those of other
# libraries are theirs, and looking them up would need a network.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!primase\.).*"), (r"py:.*", r"primase\..*\.(_\w+|[A-Z]\w*T|Listener)")]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "Primase"
html_copy_source = False
html_show_sourcelink = False


def _skip_member(_app: Sphinx, _kind: str, name: str, member: object, skip: bool, _options: Any) -> bool:  # noqa: FBT001
    """Leave out what pydantic wants, and aliases of tuples: autodoc takes them for classes, and fails at them."""
    return skip or name == "model_config" or isinstance(member, GenericAlias)


def _legible_signature(*described: Any) -> tuple[str, str] | None:
    """Write defaults that are made anew as ``...``, and leave the signature of settings to the list of their fields."""
    _app, _kind, _name, member, _options, signature, returned = described
    if signature is None:
        return None
    if isinstance(member, type) and issubclass(member, Section):
        return "", ""
    return re.sub(r"<factory>", "...", signature), returned


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("autodoc-process-signature", _legible_signature)
