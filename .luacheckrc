std = "lua54"
max_line_length = 120
self = false -- a method need not use its self
unused_args = false
exclude_files = { "**/*.d.lua" } -- declarations for editors
files["spec"].std = "+busted"
