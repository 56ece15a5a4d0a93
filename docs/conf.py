"""Settings of the documentation site: `make docs` builds it in docs/_build/html."""

from __future__ import annotations

import sys
from pathlib import Path

import modwire

HERE = Path(__file__).parent
# Our own extensions, and tests/zoo, whose devices are a page.
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "modwire"
author = "The modwire authors"
project_copyright = author
version = release = modwire.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings", "generated_parts"]
exclude_patterns = ["_build", "_ext", "_static"]

myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autoclass_content = "both"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
add_module_names = False
smartquotes = False  # they would make a dash of the two hyphens of an option
toc_object_entries = False  # they would take a third of the time
nitpicky = True
# Annotations have type variables, aliases and names of other packages, which have no page. Links in
# docstrings are of the kind py:obj, and are checked.
nitpick_ignore_regex = [("py:class", ".*")]
suppress_warnings = ["ref.python"]  # four packages have a Client

html_theme = "furo"
html_title = f"modwire {release}"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    # Colours with a contrast of at least 4.5:1 to the background, light and dark.
    "light_css_variables": {
        "color-brand-primary": "#0b5a8f",
        "color-brand-content": "#0b5a8f",
        "color-foreground-muted": "#5a5c63",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc0f0",
        "color-brand-content": "#7cc0f0",
        "color-foreground-muted": "#9ca0a5",
    },
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
