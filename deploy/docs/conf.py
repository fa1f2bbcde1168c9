"Sphinx settings of the website. make_docs.py lays out the sources and calls Sphinx."

import re
from inspect import cleandoc

from tmdb_analysis import __version__
from tmdb_analysis._help import EXAMPLES, parameter_notes, written_docstring

project, author, copyright = "tmdb_analysis", "tmdb_analysis developers", "tmdb_analysis developers"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = "tmdb_analysis"
html_static_path = ["_static"]
html_extra_path = ["extra"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # a browser lets no page from the disk fetch another
html_theme_options = {
    "source_repository": "https://github.com/tmdb-analysis/tmdb_analysis/",
    "footer_icons": [],
}
# The outputs are those that the notebooks store; a build runs nothing.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_text_lexer = "none"
myst_enable_extensions = ["deflist", "strikethrough"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
default_role = "code"  # docstrings write `name`
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]
toc_object_entries = False
copybutton_exclude = ".linenos, .gp, .go"


def escaped(text):
    "Text in which a star or an underscore means itself, but in `code`."
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_|\\])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def describe(app, what, name, obj, options, lines):
    "The docstring of a function with the notes on its parameters and its example, as fields."
    if what != "function":
        lines[:] = map(escaped, lines)
        return
    notes = parameter_notes(obj)
    lines[:] = map(escaped, written_docstring(obj).splitlines())
    lines += ["", *(f":param {name}: {escaped(note)}" for name, note in notes.items())]
    if example := EXAMPLES.get(obj.__name__):
        lines += ["", ".. code-block:: python", "", f"   {cleandoc(example)}", ""]


def setup(app):
    app.connect("autodoc-process-docstring", describe)
