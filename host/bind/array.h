/* Array handles, as arrays and mapped files share them. The handle knows where its elements lie in
   this process, so an access is one C call and one load.

   `span` is empty while the handle is closed, and while a file that it came for cannot be mapped
   here: then each use tries again, and says why not. */
#ifndef BIND_ARRAY_H
#define BIND_ARRAY_H

#include "bind/bind.h"
#include "shm/array.h"
#include "shm/file.h"

struct array_handle {
  struct handle handle;
  struct span span;
  struct attachment *file; /* NULL: the elements are in the region */
  int ready;               /* span is valid */
  int is_readonly;
};

/* Finds the elements of a handle that was just opened. */
void array_settle(struct handle *handle);

/* The array at an argument, ready for use, its file (if it is one) as long as it was; raises
   otherwise. */
struct array_handle *array_check(lua_State *L, int arg);
/* The same of one that may be written. */
struct array_handle *array_check_writable(lua_State *L, int arg);
/* The same of one whose elements are bytes. */
struct array_handle *array_check_bytes(lua_State *L, int arg);

/* Raises when the array's file ends before the array's end; looked at once a tick of the clock. */
void array_check_length(lua_State *L, const struct array_handle *array);

/* The optional arguments arg and arg + 1: first and last element, the whole by default, checked.
   Returns that part; *first from 0. */
struct span array_range(lua_State *L, int arg, const struct array_handle *array, uint64_t *first);

/* Raises when the array was closed meanwhile: whatever allocates may run a finaliser that does. */
static inline void array_stay(lua_State *L, const struct array_handle *array) {
  if (!array->ready) luaL_error(L, "the Array was closed meanwhile");
}

/* Adds the methods of byte arrays and of files to the table on top of the stack. */
void file_methods(lua_State *L);

#endif
