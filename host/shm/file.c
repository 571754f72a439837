/* Shared mapped files: see file.h. */
#include "shm/file.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/latch.h"
#include "shm/object.h"

static PROCESS_LOCAL struct attachment *attachments; /* under the latch: of all threads */

static uint64_t holder_word(const struct attachment *a) {
  return (uint64_t)getpid() << 32 | (uint32_t)a->map.fd;
}

static int is_vacant(uint64_t word) {
  return word == 0 || (kill((pid_t)(word >> 32), 0) != 0 && errno == ESRCH);
}

static void note_holder(struct attachment *a) {
  struct file *file = heap_payload(a->object);
  for (int i = 0; i < FILE_HOLDERS; i++) {
    uint64_t word = atomic_load(&file->holder[i]);
    if (is_vacant(word) && atomic_compare_exchange_strong(&file->holder[i], &word, holder_word(a)))
      return;
  }
}

static void forget_holder(struct attachment *a) {
  struct file *file = heap_payload(a->object);
  for (int i = 0; i < FILE_HOLDERS; i++) {
    uint64_t word = holder_word(a);
    atomic_compare_exchange_strong(&file->holder[i], &word, 0);
  }
}

static struct attachment *attach(struct attachment *a, uint64_t object) {
  a->object = object;
  a->uses = 1;
  atomic_init(&a->looked, 0);
  latch_lock();
  a->next = attachments;
  a->link = &attachments;
  if (a->next) a->next->link = &a->next;
  attachments = a;
  latch_unlock();
  note_holder(a);
  return a;
}

uint64_t file_length(struct attachment *a) {
  int64_t now = clock_tick();
  /* acquire: who sees the tick sees a length that was asked for in it, or later */
  if (now == atomic_load_explicit(&a->looked, memory_order_acquire))
    return atomic_load_explicit(&a->length, memory_order_relaxed);
  latch_lock(); /* in the order of the asking */
  uint64_t length = filemap_length(&a->map);
  atomic_store_explicit(&a->length, length, memory_order_relaxed);
  atomic_store_explicit(&a->looked, now, memory_order_release);
  latch_unlock();
  return length;
}

void file_detach(struct attachment *a) {
  latch_lock();
  int last = --a->uses == 0;
  if (last) {
    *a->link = a->next;
    if (a->next) a->next->link = a->link;
  }
  latch_unlock();
  if (!last) return;
  forget_holder(a);
  filemap_close(&a->map);
  free(a);
}

/* The object for a file that has just been opened: its offset, or 0. */
static uint64_t describe(const filemap *map, const char *path, struct link *list, uint64_t *hold) {
  char *whole = realpath(path, NULL); /* the receiver's folder may be another */
  const char *name = whole ? whole : path;
  size_t length = strlen(name);
  uint64_t object = object_new(sizeof(struct file) + length + 1, BLOCK_FILE, list, hold);
  if (object) {
    struct file *file = heap_payload(object);
    file->id = map->id;
    file->size = map->size;
    file->writable = (uint64_t)map->writable;
    file->length = length;
    memcpy(file->path, name, length + 1);
  }
  free(whole);
  return object;
}

int file_new(const char *path, int access, uint64_t size, struct link *list, uint64_t *object,
             uint64_t *hold, struct attachment **attachment) {
  struct attachment *a = malloc(sizeof *a);
  if (!a) return -ENOMEM;
  int rc = filemap_open(&a->map, path, access, size);
  if (rc == 0) {
    *object = describe(&a->map, path, list, hold);
    if (*object) {
      *attachment = attach(a, *object);
      return 0;
    }
    filemap_close(&a->map);
    rc = -ENOMEM;
  }
  free(a);
  return rc;
}

/* Opens the file again, by its name or by somebody who has it. What the name said counts when
   nobody has it. */
static int find_file(filemap *map, const struct file *file) {
  int rc = filemap_reopen(map, file->path, (int)file->writable, file->size, &file->id);
  for (int i = 0; rc < 0 && i < FILE_HOLDERS; i++) {
    uint64_t word = atomic_load(&file->holder[i]);
    if (word == 0) continue;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)(word >> 32), (int)(uint32_t)word);
    if (filemap_reopen(map, path, (int)file->writable, file->size, &file->id) == 0) return 0;
  }
  return rc;
}

static struct attachment *find_attached(uint64_t object) {
  latch_lock();
  struct attachment *a = attachments;
  while (a && a->object != object) a = a->next;
  if (a) file_share(a);
  latch_unlock();
  return a;
}

int file_attach(uint64_t object, struct attachment **attachment) {
  struct attachment *a = find_attached(object);
  if (a) {
    *attachment = a;
    return 0;
  }
  a = malloc(sizeof *a);
  if (!a) return -ENOMEM;
  int rc = find_file(&a->map, heap_payload(object));
  if (rc == 0)
    *attachment = attach(a, object);
  else
    free(a);
  return rc;
}
