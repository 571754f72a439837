---@meta mphost
-- What is written in C, as an editor wants to know it. Checked against the library by spec/mphost/types_spec.lua.
-- Where a timeout may be given it is in seconds and covers the whole call: none waits as long as it takes, 0 does not
-- wait. Calls that time out return nil, a message, and "timeout" (or "empty", "full" with timeout 0).

local mp = {}

---Seconds of a clock that never goes back; where it begins is not said.
---@return number
function mp.clock() end

---Sleeps.
---@param seconds number  0 or more; math.huge: until Ctrl-C, or as a task until its call is over
function mp.sleep(seconds) end

---The value as bytes, for files and other machines. Handles of this library do not leave the family: they raise.
---@param value any  one value
---@return string
function mp.pack(value) end

---The value that mp.pack made the bytes of. Other bytes are refused with an error. Functions are bytecode, which can do
---anything to the process that runs it: those that this family packed are loaded (the bytes carry a seal that only its
---processes can make), others (of an earlier run, too) only with `code = true`, and with `code = false` none.
---@param bytes string
---@param options {code: boolean?}?
---@return any
function mp.unpack(bytes, options) end

---Messages between processes: any number of producers and consumers, in order per producer; `#q` is how many there are.
---@class mphost.Queue
local Queue = {}

---Puts a message, whole, behind the others; waits while the queue is full. When it returns the message is in.
---@param value any  not nil; mp.null stands for it
---@param timeout number?
---@return true?
---@return string? message
---@return "timeout"|"closed"|"full"? name
function Queue:put(value, timeout) end

---The same with timeout 0.
---@param value any
---@return true?
---@return string? message
---@return "closed"|"full"? name
function Queue:try_put(value) end

---Takes the first message; waits while there is none.
---@param timeout number?
---@return any
---@return string? message
---@return "timeout"|"closed"|"empty"? name
function Queue:get(timeout) end

---The same with timeout 0.
---@return any
---@return string? message
---@return "closed"|"empty"? name
function Queue:try_get() end

---Puts all of a list, as many at a time as there is room for. What cannot be sent raises before any is put.
---@param list any[]
---@param timeout number?
---@return integer put  how many are in; when not all are, a message and a name follow
---@return string? message
---@return "timeout"|"closed"|"full"? name
function Queue:put_many(list, timeout) end

---Waits for the first message and takes what is there, up to `max`.
---@param max integer
---@param timeout number?
---@return any[]? list
---@return string? message  also beside a list: one of the messages could not be decoded here, this is why
---@return "timeout"|"closed"|"empty"? name
function Queue:get_many(max, timeout) end

---An iterator, a function that needs no arguments, over messages until the queue is closed and empty.
---@return fun(): any
function Queue:iter() end

---No more puts; what is in can be got. Sleepers wake.
function Queue:close() end

---@return boolean
function Queue:empty() end

---@return boolean  never for a queue without a capacity
function Queue:full() end

---One message that was got is dealt with. In a queue that redelivers: the one that this process has had longest.
function Queue:task_done() end

---Waits until task_done has been said for every message that was put.
---@param timeout number?
---@return true?
---@return string? message
---@return "timeout"? name
function Queue:wait_done(timeout) end

---One end of a pipe.
---@class mphost.Connection
local Connection = {}

---@param value any  not nil; mp.null stands for it
---@return true?
---@return string? message
---@return "closed"? name  nobody has the other end
function Connection:send(value) end

---Waits for a message. Raises when there is no timeout and only this process has the other end: it would wait for
---itself for ever.
---@param timeout number?
---@return any
---@return string? message
---@return "timeout"|"closed"? name  closed: nobody has the other end, and nothing will ever come
function Connection:recv(timeout) end

---Whether recv would return at once: with a message, or because none will ever come.
---@param timeout number?  none: 0
---@return boolean
function Connection:poll(timeout) end

---Gives this process's hold on this end up.
function Connection:close() end

---@return boolean
function Connection:readable() end

---@return boolean
function Connection:writable() end

---@return boolean
function Connection:is_closed() end

---One typed number that all processes of the family share; its range is checked. Unsigned types of 8 bytes (J L T) take
---all integers as their bits, as string.pack does: -1 is the greatest.
---@class mphost.Value
---@field value number|boolean  reading and writing are one atomic step each
local Value = {}

---Adds in one atomic step. Integers of less than 64 bits raise when the result is out of range, 64-bit ones wrap.
---@param n number
---@return number before
function Value:add(n) end

---@param n number
---@return number before
function Value:sub(n) end

---Makes it n if that is more.
---@param n number
---@return number before
function Value:max(n) end

---Makes it n if that is less.
---@param n number
---@return number before
function Value:min(n) end

---Clears the bits that are 0 in n. Of n, here and in bor and bxor, the bits above the type's width are all 0, or all 1
---as Lua's ~ gives them: v:band(~1) clears the lowest bit, v:bxor(-1) turns all of them, whatever the type. Any other n
---raises, and so does each on a float or a boolean.
---@param n integer
---@return integer before
function Value:band(n) end

---Sets the bits that are 1 in n, a mask as band's. In a signed type the highest is the sign.
---@param n integer
---@return integer before
function Value:bor(n) end

---Turns the bits that are 1 in n, a mask as band's.
---@param n integer
---@return integer before
function Value:bxor(n) end

---@param x number|boolean
---@return number|boolean before
function Value:swap(x) end

---Makes it `new` if it is `old`, by `==`: -0.0 is 0.0, and a NaN is never `old`. Of type "f" `old` is rounded first, as
---the value was.
---@param old number|boolean
---@param new number|boolean
---@return boolean done
function Value:cas(old, new) end

---value = f(value) as one step: f runs again when another process came between. So it must not change the value itself,
---which raises.
---@param f fun(value: number|boolean): number|boolean
---@return number|boolean after
function Value:update(f) end

---Sleeps until it differs from `old`, by `==` as in cas: a NaN differs from all.
---@param old number|boolean
---@param timeout number?
---@return true?
---@return string? message
---@return "timeout"? name
function Value:wait(old, timeout) end

---Wakes who waits, though nothing has changed: they look again.
function Value:notify() end

---Gives this process's hold up: what is done with the handle later raises. The number lives as long as any process or
---message holds it.
function Value:close() end

---@alias mphost.Key string|integer|boolean  whole floats count as integers; anything else raises

---A hash table that all processes of the family share. Values are all that can be sent, handles and other Dicts
---included; what comes back is a copy, so `d.t.x = 1` changes nothing: set the whole value, or `update` it. Each
---operation is one step for all processes: whoever is killed in the middle, a key has its old or its new value. Dicts
---that hold each other in a circle live until the family ends.
---
---`d[k]` finds methods before keys, so `d.get = 1` raises; under the names of methods keys are stored by the constructor
---or `d:set("get", 1)` and read by `d:get("get")`. `d[k] = nil` deletes.
---
---`pairs(d)` walks over a snapshot, in no order: all keys and values as they were together at one moment; d may be
---changed meanwhile. `#d` is the exact number of keys.
---
---There is no method `close`, which would be one key less: `local d <close> = mp.Dict()` gives this process's hold up
---at the end of the scope, and so does the collector.
---@class mphost.Dict
---@field [mphost.Key] any
local Dict = {}

---@param key mphost.Key
---@param default any?
---@return any value  the default if there is none
function Dict:get(key, default) end

---@param key mphost.Key
---@param value any  nil deletes
function Dict:set(key, value) end

---Adds in one step to a number or, if there is none, to 0. Integers wrap, with a float the sum is a float. Raises when
---the value is no number.
---@param key mphost.Key
---@param n number
---@return number before
function Dict:add(key, n) end

---d[key] = f(d[key]) as one step: f runs, with nothing locked, again when the key was changed meanwhile. So it must not
---change that key itself, which raises.
---@param key mphost.Key
---@param f fun(value: any): any  nil deletes
---@return any after
function Dict:update(key, f) end

---@param key mphost.Key
---@return boolean was_there
function Dict:delete(key) end

---@param key mphost.Key
---@return boolean
function Dict:has(key) end

---@param key mphost.Key
---@param value any  nil deletes
---@return any before
function Dict:swap(key, value) end

---Makes it `new` if it is `old`, by `==` without metamethods. Tables and functions equal nothing: as `old` they raise.
---@param key mphost.Key
---@param old any  nil: there is none
---@param new any  nil deletes
---@return boolean done
function Dict:cas(key, old, new) end

---All keys at one moment, in no order.
---@return mphost.Key[]
function Dict:keys() end

---Deletes all keys in one step.
function Dict:clear() end

---Its elements are a[1] to a[#a], each read and written in one atomic step; #a, ipairs and pairs work. Where a range of
---elements may be given it is the whole by default. What lies outside raises, but a[#a + 1] reads as nil: there ipairs
---ends. The last five methods are of arrays of bytes: types "B" and "b", and mapped files.
---@class mphost.Array
---@field [integer] number|boolean
local Array = {}

---A list of the elements i to j.
---@param i integer?
---@param j integer?
---@return (number|boolean)[]
function Array:get(i, j) end

---Writes from element i on: what a list holds, an Array of the same type, or the bytes of a string. When something in
---the list is wrong nothing is written.
---@param i integer
---@param list (number|boolean)[]|string|mphost.Array
function Array:set(i, list) end

---@param x number|boolean
---@param i integer?
---@param j integer?
function Array:fill(x, i, j) end

---Adds in one atomic step. Integers of less than 64 bits raise when the result is out of range, 64-bit ones wrap.
---@param i integer
---@param n number
---@return number before
function Array:add(i, n) end

---Makes element i `new` if it is `old`, as Value:cas.
---@param i integer
---@param old number|boolean
---@param new number|boolean
---@return boolean done
function Array:cas(i, old, new) end

---An integer, that wraps at 64 bits, or a float; of booleans how many are true.
---@param i integer?
---@param j integer?
---@return number
function Array:sum(i, j) end

---@param i integer?
---@param j integer?
---@return number?  not NaN if there is another; none of no elements
function Array:min(i, j) end

---@param i integer?
---@param j integer?
---@return number?
function Array:max(i, j) end

---The same elements again, without a copy: what is written to one is in the other. It can be sent like any handle.
---@param i integer?
---@param j integer?
---@return mphost.Array
function Array:slice(i, j) end

---Gives this process's hold up. Elements live as long as any process or message holds the array or a slice of it.
function Array:close() end

---The bytes i to j, by string.sub's rules.
---@param i integer?
---@param j integer?
---@return string
function Array:sub(i, j) end

---Iterates over the lines that begin in a range: the line without its newline, and where it begins.
---@param i integer?
---@param j integer?
---@return fun(): string?, integer?
function Array:lines(i, j) end

---As string.find: a plain text is found anywhere; a pattern is matched within each line, ^ and $ are its ends.
---@param what string
---@param init integer?
---@param plain boolean?
---@return integer? first
---@return integer? last
---@return string|integer ...  captures
function Array:find(what, init, plain) end

---Cuts all into pieces {from, to} of about one size, each ending on a separator or at the end: at most n, none empty.
---@param n integer
---@param sep string?  "\n"
---@return integer[][]
function Array:chunks(n, sep) end

---Of a mapped file: waits until all that was written is on the disk.
---@return true?
---@return string? message
---@return string? name
function Array:flush() end

---A Lock or an RLock: held by one thread of one process at a time. What was taken through a handle is given back when
---that is closed, when its Lua state is, and when the process dies; one that is merely forgotten is not collected
---while it holds the lock.
---@class mphost.Lock
local Lock = {}

---Takes it; waits while another holds it. Raises when this process holds it, it is a plain Lock and there is no
---timeout, and when this thread holds 2000 locks. `d.lock:acquire()` of a shared table d holds it until
---`d.lock:release()`.
---@param timeout number?
---@return mphost.Lock? itself  as a to-be-closed variable it gives back at the end of the scope
---@return string? message  or "owner died": its last holder did, what it protects may be half done
---@return "timeout"? name
function Lock:acquire(timeout) end

---Gives it back, an RLock once. Raises when this thread does not hold it.
function Lock:release() end

---f(...) with the lock held; given back at the end, also when f raises. Results and errors pass unchanged.
---@param f function
---@param ... any
---@return any ...
function Lock:with(f, ...) end

---Whether anybody holds it.
---@return boolean
function Lock:locked() end

---Drops the handle; what was taken through it is given back.
function Lock:close() end

---A number of permits that anybody may take and add to.
---@class mphost.Semaphore
local Semaphore = {}

---Takes a permit; waits while there is none.
---@param timeout number?
---@return mphost.Semaphore? itself  as a to-be-closed variable it gives back at the end of the scope
---@return string? message
---@return "timeout"? name
function Semaphore:acquire(timeout) end

---Adds permits. Raises when there would be more than 2147483647.
---@param n integer?  1
function Semaphore:release(n) end

---@return integer permits  that can be taken
function Semaphore:get_value() end

---f(...) with a permit taken; given back at the end, also when f raises. Results and errors pass unchanged.
---@param f function
---@param ... any
---@return any ...
function Semaphore:with(f, ...) end

---Drops the handle. Permits that were taken stay so.
function Semaphore:close() end

---A number of permits that belong to the processes that took them.
---@class mphost.BoundedSemaphore
local BoundedSemaphore = {}

---Takes a permit; waits while there is none.
---@param timeout number?
---@return mphost.BoundedSemaphore? itself  as a to-be-closed variable it gives back at the end of the scope
---@return string? message  or "owner died": the permit was a dead process's
---@return "timeout"? name
function BoundedSemaphore:acquire(timeout) end

---Gives permits of this process's back. Raises when it does not have so many.
---@param n integer?  1
function BoundedSemaphore:release(n) end

---@return integer permits  that can be taken
function BoundedSemaphore:get_value() end

---f(...) with a permit taken; given back at the end, also when f raises. Results and errors pass unchanged.
---@param f function
---@param ... any
---@return any ...
function BoundedSemaphore:with(f, ...) end

---Drops the handle; permits that were taken through it are given back.
function BoundedSemaphore:close() end

---A flag that processes wait for.
---@class mphost.Event
local Event = {}

---All that wait go on, also when it is cleared at once.
function Event:set() end

---Those that come wait.
function Event:clear() end

---@return boolean
function Event:is_set() end

---Waits until it is set.
---@param timeout number?
---@return true?
---@return string? message
---@return "timeout"? name
function Event:wait(timeout) end

---Drops the handle.
function Event:close() end

---A line of those that wait for something that a lock protects. All but `acquire` and `with` raise unless this thread
---holds the lock.
---@class mphost.Condition
local Condition = {}

---Takes the lock, as Lock:acquire.
---@param timeout number?
---@return mphost.Condition? itself
---@return string? message  or "owner died"
---@return "timeout"? name
function Condition:acquire(timeout) end

---Gives the lock back.
function Condition:release() end

---Whether anybody holds the lock.
---@return boolean
function Condition:locked() end

---f(...) with the lock held, as Lock:with.
---@param f function
---@param ... any
---@return any ...
function Condition:with(f, ...) end

---Gives the lock back (an RLock wholly), waits to be notified, and has the lock as before when it returns.
---@param timeout number?
---@return true?
---@return string? message  or "owner died": a holder of the lock died meanwhile
---@return "timeout"? name  then perhaps "owner died"
function Condition:wait(timeout) end

---Waits, again and again, until the predicate is true.
---@param predicate fun(): any  called with the lock held
---@param timeout number?
---@return any  what the predicate said; then perhaps "owner died"
---@return string? message
---@return "timeout"? name
function Condition:wait_for(predicate, timeout) end

---Wakes those that wait longest.
---@param n integer?  1
---@return integer notified
function Condition:notify(n) end

---Wakes all that wait.
---@return integer notified
function Condition:notify_all() end

---Drops the handle; if the lock was taken through it, that is given back.
function Condition:close() end

---A place where processes wait until all have come.
---@class mphost.Barrier
---@field parties integer
---@field n_waiting integer  parties that wait now
---@field broken boolean  by a timeout, a death, abort, or an error of its action; until reset
local Barrier = {}

---Waits until all parties have come. The last runs the action first; what that raises it raises. A timeout breaks the
---barrier for all, and so does the death of a party that waits.
---@param timeout number?
---@return integer? place  in the order of arrival: 1..parties
---@return string? message
---@return "timeout"|"gone"|"cancelled"? name
function Barrier:wait(timeout) end

---Breaks it: all that wait, and all that come, get "cancelled".
function Barrier:abort() end

---Makes it whole and empty again; those that wait get "cancelled".
function Barrier:reset() end

---Drops the handle.
function Barrier:close() end
