-- libmpack's Lua binding, MessagePack in C: one packer and one unpacker for all.
local mpack = require "mpack"
require("values").run(mpack.Packer(), mpack.Unpacker())
