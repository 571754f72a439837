-- lua-messagepack: MessagePack in Lua.
local messagepack = require "MessagePack"
require("values").run(messagepack.pack, messagepack.unpack)
