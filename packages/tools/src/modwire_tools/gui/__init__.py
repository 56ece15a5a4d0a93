"""`modwire gui`: the simulator's desktop window, on Tk; `window.show` opens it.

It is a front end of a `View`, as the web page is.
"""
