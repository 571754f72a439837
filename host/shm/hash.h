/* SipHash-1-3: a hash of bytes under a secret key. Who does not know the key cannot find keys that
   fall together, so no outsider's words make a table slow. */
#ifndef SHM_HASH_H
#define SHM_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const uint64_t key[2], const void *bytes, size_t size);

#endif
