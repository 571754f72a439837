std = "lua54"
max_line_length = 120
self = false -- a method need not use its self
unused_args = false
files["spec"].std = "+busted"
