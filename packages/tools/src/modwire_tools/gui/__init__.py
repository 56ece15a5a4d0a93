"""`modwire gui`: the simulator's desktop window, on Tk; `window.show` opens it.

It shows a `View` and changes what that lets it change, as the web page does.
"""
