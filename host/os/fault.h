/* A process that dies of a fault of its own (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) says first
   where it was.

   The handler runs on a stack of its own, so an overflown one is told of, too. It finds the frames
   by the C library's unwinder, which must have been loaded before (fault_prepare): loading takes
   memory, and the fault may be in malloc. It calls `tell` with what it knows, at first where it
   was, then with all frames, and dies of the signal with the default action, so status and core
   file are those of the fault.

   What if it goes wrong in the handler: before anything else all these signals get their default
   action back, so a second fault is the end, of its own signal. Nobody holds anything that others
   wait for but robust locks. A handler that waits (for a lock of the loader's, which another thread
   has) is ended by a timer after a second, of the first signal. `tell` must therefore make known
   what it has step by step, the safest first. A process whose stack or code is so broken that the
   kernel cannot start the handler dies as without one.

   A program that has a handler of its own for one of these signals keeps it. A child that others
   fork from a watched process is not watched. */
#ifndef OS_FAULT_H
#define OS_FAULT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAULT_FRAMES 24

struct fault {
  int signal;
  pid_t sender;     /* somebody has sent it (perhaps this process itself); 0: the kernel */
  uint64_t address; /* that could not be used, when the kernel sent it */
  int frames;
  void *frame[FAULT_FRAMES]; /* the innermost first */
  int whole;                 /* 0: the others are still to be found */
};

/* Loads the unwinder, once; in whom the children are forked from. */
void fault_prepare(void);

/* From now on this process tells of its faults. */
void fault_watch(void (*tell)(const struct fault *fault));

/* Text out of a handler: appends to the zero-terminated text as far as there is room. */
struct fault_text {
  char *text;
  size_t size, room;
};
void fault_say(struct fault_text *to, const char *text);
void fault_say_number(struct fault_text *to, uint64_t number, unsigned base);

/* What code is at the address: "file(symbol+0x1f)". It asks the loader, which may be what is
   broken. */
void fault_say_place(struct fault_text *to, const void *address);

#endif
