"""`modwire gui`: the simulator's desktop window, on Tk, GTK or wx.

`Presenter` decides what a window shows and does. `tk_window`, `gtk_window` and `wx_window` are its
front ends; `toolkits` finds and opens one. Registers, traffic and faults are on the web page.
"""
