"""`PUMP`: a device file, for tests of the window."""

PUMP = """
name = "Pump"

[[unit]]
id = 7
name = "drive"

[[unit.point]]
name = "speed"
at = "hr:10"
value = 1200
unit = "rpm"

[[unit.point]]
name = "pressure"
at = "ir:0"
type = "float32"
unit = "bar"
value.sine = { around = 5, amplitude = 1, period = 10 }

[[unit.block]]
at = "hr:200"
values = [1, 2, 3]

[[unit]]
id = 8

[[unit.point]]
name = "level"
at = "hr:0"
value = 40
"""
