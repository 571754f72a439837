-- For `luarocks make host/mphost-0.1.0-1.rockspec` at the top: the module for stock Lua 5.4, by the builtin backend.
rockspec_format = "3.0"
package = "mphost"
version = "0.1.0-1"
source = { url = "git+file://." } -- the tree that this file lies in
description = {
  summary = "Python's multiprocessing for Lua 5.4",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5" }
build = {
  type = "builtin",
  modules = {
      ["mphost.call"] = "lua/mphost/call.lua",
      ["mphost.check"] = "lua/mphost/check.lua",
      ["mphost.command"] = "lua/mphost/command.lua",
      ["mphost.complete"] = "lua/mphost/complete.lua",
      ["mphost.crash"] = "lua/mphost/crash.lua",
      ["mphost.crew"] = "lua/mphost/crew.lua",
      ["mphost.error"] = "lua/mphost/error.lua",
      ["mphost.future"] = "lua/mphost/future.lua",
      ["mphost.help"] = "lua/mphost/help.lua",
      ["mphost.history"] = "lua/mphost/history.lua",
      ["mphost.imap"] = "lua/mphost/imap.lua",
      ["mphost"] = "lua/mphost/init.lua",
      ["mphost.inspect"] = "lua/mphost/inspect.lua",
      ["mphost.items"] = "lua/mphost/items.lua",
      ["mphost.log"] = "lua/mphost/log.lua",
      ["mphost.methods"] = "lua/mphost/methods.lua",
      ["mphost.once"] = "lua/mphost/once.lua",
      ["mphost.pool"] = "lua/mphost/pool.lua",
      ["mphost.process"] = "lua/mphost/process.lua",
      ["mphost.repl"] = "lua/mphost/repl.lua",
      ["mphost.scope"] = "lua/mphost/scope.lua",
      ["mphost.sync"] = "lua/mphost/sync.lua",
      ["mphost.wait"] = "lua/mphost/wait.lua",
      ["mphost.watch"] = "lua/mphost/watch.lua",
      ["mphost.core"] = {
        defines = { "_GNU_SOURCE" },
        incdirs = { "host" },
        libraries = { "pthread", "m" },
        sources = {
          "host/bind/arena.c", "host/bind/bind.c", "host/bind/bind_array.c", "host/bind/bind_barrier.c",
          "host/bind/bind_condition.c", "host/bind/bind_dict.c", "host/bind/bind_event.c",
          "host/bind/bind_file.c", "host/bind/bind_handle.c", "host/bind/bind_lock.c",
          "host/bind/bind_pack.c", "host/bind/bind_pipe.c", "host/bind/bind_pool.c",
          "host/bind/bind_process.c", "host/bind/bind_queue.c", "host/bind/bind_semaphore.c",
          "host/bind/bind_system.c", "host/bind/bind_value.c", "host/bind/bind_worker.c",
          "host/bind/guard.c", "host/bind/interrupt.c", "host/bind/launch.c", "host/bind/message.c",
          "host/bind/number.c", "host/bind/outcome.c", "host/bind/parcel.c", "host/bind/sync.c", "host/bind/thread.c",
          "host/codec/bytecode.c", "host/codec/decode.c", "host/codec/decode_code.c",
          "host/codec/decode_table.c", "host/codec/encode.c", "host/codec/encode_func.c",
          "host/codec/encode_table.c", "host/codec/memo.c", "host/codec/names.c", "host/codec/trail.c",
          "host/codec/wire.c", "host/os/clock.c", "host/os/cpu.c", "host/os/filemap.c", "host/os/futex.c",
          "host/os/latch.c", "host/os/map.c", "host/os/memory.c", "host/os/proc.c", "host/os/streams.c",
          "host/os/tether.c", "host/os/zygote.c", "host/shm/array.c", "host/shm/barrier.c",
          "host/shm/cell.c", "host/shm/condition.c", "host/shm/dict.c", "host/shm/dict_table.c",
          "host/shm/event.c", "host/shm/family.c", "host/shm/file.c", "host/shm/hand.c", "host/shm/hash.c",
          "host/shm/heap.c", "host/shm/job.c", "host/shm/journal.c", "host/shm/lock.c", "host/shm/number.c",
          "host/shm/object.c", "host/shm/permits.c", "host/shm/pipe.c", "host/shm/queue.c",
          "host/shm/region.c", "host/shm/ring.c", "host/shm/robust.c", "host/shm/semaphore.c",
        },
      },
  },
}
