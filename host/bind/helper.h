/* The program that start method spawn runs: one whose main begins with launch_arrive (mph_member),
   as the program mphost's does.

   The first of: what the caller names; the environment variable MPHOST_HELPER; this program itself,
   if it is one; `mphost` in the folder where the library lies; bin/mphost in a folder above it,
   which is where `cmake --install` puts it. */
#ifndef BIND_HELPER_H
#define BIND_HELPER_H

enum { HELPER_PATH = 4096 };

/* This program is one, and nobody has named another. */
void helper_is_here(void);
int helper_is_self(void);

/* Its path: 0. -ENOENT and "" in path: there is none; -errno and its name: it cannot be run. */
int helper_find(const char *named, char path[HELPER_PATH]);

#endif
