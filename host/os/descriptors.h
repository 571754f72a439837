/* The descriptors that a process was given and does not want. */
#ifndef OS_DESCRIPTORS_H
#define OS_DESCRIPTORS_H

/* Closes all but 0, 1, 2 and these; numbers below 0 are none. */
void descriptors_close_but(const int *keep, int n);

#endif
