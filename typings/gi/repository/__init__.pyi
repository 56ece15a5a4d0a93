from . import Gdk as Gdk
from . import GLib as GLib
from . import Gtk as Gtk
from . import Pango as Pango
