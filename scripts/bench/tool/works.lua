-- The works in the table's order. Each is scripts/bench/NAME.lua, with its twins NAME.py, NAME.c and NAME.PEER.lua, and
-- prints the figures listed with it. A new work is these files and an entry here.
--
-- A figure: its name in the output, what the table calls it, its unit, "more" or "less" for what is better, targets.
-- A target: `least` or `most`, of its own unit or as a factor `of` another figure: "python", "limit" (the C twin's),
-- "peer" (the best of the Lua peers), one peer's name, or another figure's name of the same work.
-- `borrow`: whose twin is another work's, and which one's. `megabytes`: the size of the text file that it reads.
-- `grows`: it shows how cost grows.

local function figure(name, label, unit, better, ...)
  return { name = name, label = label, unit = unit, better = better, targets = { ... } }
end

-- The same figure at several scales: a row each.
local function scale(prefix, list, label, unit, better)
  local figures = {}
  for k, at in ipairs(list) do
    figures[k] = figure(prefix .. at[1], label:format(at[2] or at[1]), unit, better)
  end
  return figures
end

-- Both directions of a value.
local function both_ways(figures, name, label, unit, ...)
  for _, way in ipairs { "encode", "decode" } do
    figures[#figures + 1] = figure(name .. "_" .. way, way .. " " .. label, unit, "less", ...)
  end
  return figures
end

local function codec()
  local near, far = { most = 1.5, of = "peer" }, { most = 0.1, of = "cjson" }
  local figures = {}
  both_ways(figures, "integer", "42", "ns", near)
  both_ways(figures, "string", "a string of 10 bytes", "ns", near)
  both_ways(figures, "list", "{1,2,3}", "ns", near)
  both_ways(figures, "record", "{x=1,y=2,s=\"abc\"}", "ns", near)
  both_ways(figures, "floats", "1000 floats", "us", near, far)
  both_ways(figures, "document", "10 MB of nested tables", "ms", near)
  both_ways(figures, "closure", "a closure with 3 upvalues", "us")
  figures[#figures + 1] = figure("closure", "both ways of the closure", "us", "less", { most = 6 })
  return figures
end

local SIZES = {
  { 8, "8 B" }, { 64, "64 B" }, { 512, "512 B" }, { 4096, "4 KB" }, { 32768, "32 KB" }, { 262144, "256 KB" },
  { 2097152, "2 MB" }, { 16777216, "16 MB" },
}

local function map_length()
  local turns = {}
  for power = 0, 7 do turns[power + 1] = { 10 ^ power // 1 | 0 } end
  local figures = scale("turns", turns, "map, tasks of %d turns, over the loop", "x", "more")
  local single = scale("single", turns, "map, chunk = 1, tasks of %d turns, over the loop", "x", "more")
  return table.move(single, 1, #single, #figures + 1, figures)
end

local half = { least = 0.5, of = "one_to_one" }

return {
  { name = "queue_int", figures = {
    figure("rate", "queue, integers, 1 to 1", "M/s", "more", { least = 4 }),
  } },
  { name = "queue_table", figures = {
    figure("rate", "queue, {x=1,y=2,s=\"abc\"}, 1 to 1", "M/s", "more", { least = 0.8 }),
  } },
  { name = "queue_roundtrip", figures = {
    figure("time", "queue, round trip of an integer", "us", "less", { most = 1.5 }),
  } },
  { name = "queue_string", figures = {
    figure("rate", "queue, a string of 100 MB", "GB/s", "more", { least = 1.5 }),
    figure("next", "queue, strings of 100 MB, from the second on", "GB/s", "more", { least = 1.5 }),
  } },
  { name = "value_add", figures = {
    figure("alone", "v:add(1), alone", "M/s", "more", { least = 15 }),
    figure("two", "v:add(1), two processes in total", "M/s", "more", { least = 10 }),
  } },
  { name = "lock", figures = {
    figure("pair", "lock and unlock, alone", "ns", "less", { most = 120 }),
    figure("two", "lock and unlock, two processes", "ns", "less"),
  } },
  { name = "dict_add", figures = {
    figure("rate", "dict:add(key, 1), alone (Python: d[key] += 1)", "M/s", "more", { least = 1.5 }),
    figure("two", "dict:add(key, 1), two in total (Python's not atomic)", "M/s", "more"),
  } },
  { name = "array_slices", figures = {
    figure("fill", "array of a million doubles, fill", "M/s", "more"),
    figure("read", "the array, slices of 1000 to lists", "M/s", "more"),
    figure("write", "the array, slices of 1000 from lists", "M/s", "more"),
    figure("element", "the array, a[i], one by one", "M/s", "more"),
  } },
  { name = "array_add", figures = {
    figure("alone", "a:add(i, 1), 1000 elements, alone", "M/s", "more"),
    figure("two", "a:add(i, 1), 1000 elements, two in total", "M/s", "more"),
    figure("one", "a:add(1, 1), one element, two in total", "M/s", "more"),
  } },
  { name = "sync", figures = {
    figure("semaphore", "semaphore, acquire and release, alone", "ns", "less"),
    figure("contended", "semaphore of 1, two processes", "ns", "less"),
    figure("event", "two events, there and back", "us", "less"),
    figure("condition", "condition, two processes' turns", "us", "less"),
    figure("barrier", "barrier of two", "us", "less"),
  } },
  { name = "codec", figures = codec() },
  { name = "queue_crowd", figures = {
    figure("one_to_one", "queue, integers, 1 to 1, by iter()", "M/s", "more"),
    figure("one_to_seven", "queue, integers, 1 to 7", "M/s", "more", half),
    figure("seven_to_one", "queue, integers, 7 to 1", "M/s", "more", half),
    figure("four_to_four", "queue, integers, 4 to 4", "M/s", "more", half),
  } },
  { name = "process", figures = {
    figure("time", "process, start and join", "us", "less",
      { most = 1.4, of = "limit" }, { most = 1 / 7, of = "python" }),
  } },
  { name = "pool_cycle", figures = {
    figure("time", "Pool(2): create, one task, close", "ms", "less", { most = 1.5 }),
  } },
  { name = "pool_map", figures = {
    figure("default", "map of x*x+1, 100 000 items", "M/s", "more", { least = 6 }),
    figure("chunk1", "map of x*x+1, chunk = 1", "M/s", "more", { least = 2 }),
    figure("chunk10", "map of x*x+1, chunk = 10", "M/s", "more"),
    figure("chunk100", "map of x*x+1, chunk = 100", "M/s", "more"),
    figure("chunk1000", "map of x*x+1, chunk = 1000", "M/s", "more"),
    figure("chunk10000", "map of x*x+1, chunk = 10 000", "M/s", "more"),
    figure("loop", "one plain loop of x*x+1", "M/s", "more"),
  } },
  { name = "fork_map", figures = {
    figure("speed_up", "mp.map of x*x+1, over the loop", "x", "more", { least = 0.8 }),
  } },
  { name = "pool_apply", borrow = { luv = "queue_roundtrip", limit = "queue_roundtrip" }, figures = {
    figure("time", "apply, round trip", "us", "less", { most = 8 }),
  } },
  { name = "pool_primes", figures = {
    figure("speed_up", "primes to 2 million, over the loop", "x", "more", { least = 1.93 }),
  } },
  { name = "file_words", megabytes = 1000, figures = {
    figure("rate", "words of 1 GB of text, counted (C: one loop)", "MB/s", "more"),
  } },
  { name = "pool_memory", figures = {
    figure("pss", "memory of an idle worker (PSS)", "MB", "less", { most = 0.35 }),
    figure("n1", "memory of an idle worker, one of 1", "MB", "less"),
    figure("n10", "memory of an idle worker, one of 10", "MB", "less"),
    figure("n100", "memory of an idle worker, one of 100", "MB", "less"),
    figure("n1000", "memory of an idle worker, one of 1000", "MB", "less"),
  } },
  { name = "pool_stream", figures = {
    figure("rate", "imap, 10 million items", "M/s", "more"),
    figure("growth", "growth of the parent by that imap", "MB", "less", { most = 1 }),
  } },

  -- how cost grows
  { name = "queue_size", grows = true, figures = scale("b", SIZES, "queue, strings of %s", "MB/s", "more") },
  { name = "queue_latency", grows = true, figures = scale("b", SIZES, "queue, round trip of %s", "us", "less") },
  { name = "queue_clients", grows = true, figures = {
    figure("time", "queue, round trip, four clients at one server", "us", "less"),
    figure("servers", "queue, round trip, one client at four servers", "us", "less"),
    figure("both", "queue, round trip, four clients at four servers", "us", "less"),
  } },
  { name = "queue_thousand", grows = true, figures = {
    figure("rate", "queue, 1000 processes to 1 (Python 200)", "M/s", "more"),
  } },
  { name = "imap_window", grows = true, figures = scale("w", { { 16 }, { 256 }, { 4096 }, { 65536 } },
    "imap, a window of %d items", "M/s", "more") },
  { name = "process_heap", grows = true, figures = scale("mb", { { 1 }, { 10 }, { 100 }, { 1000 } },
    "process, start and join, heap of %d MB", "us", "less") },
  { name = "process_memory", grows = true, figures = scale("n", { { 1 }, { 10 }, { 100 }, { 1000 } },
    "memory of a process (PSS), one of %d", "MB", "less") },
  { name = "pool_size", grows = true, figures = scale("w", { { 1 }, { 4 }, { 16 }, { 64 } },
    "Pool(%d): create, a task each, close", "ms", "less") },
  { name = "map_length", grows = true, figures = map_length() },
}
