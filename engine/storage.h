/* storage.h: memory with an atomic reference count, which threads may share. */
#ifndef PTI_STORAGE_H
#define PTI_STORAGE_H

#include <stdatomic.h>

#include "base.h"
#include "stream.h"

typedef struct pti_storage {
  atomic_int refs;
  atomic_bool shared;  /* all its holders see writes */
  atomic_bool crossed; /* was passed to another thread: see storage_release */
  int16_t device;
  struct pti_account *account; /* on which bytes and header are booked, or NULL */
  _Atomic uint64_t told;       /* threads whose collectors know of the bytes, a bit for each */
  size_t bytes;
  void *data;
  pt_event
      *later; /* of pinned memory: a copy from or to it that may still be in progress, or NULL */
  union {
    struct {                     /* on the CPU */
      void (*release)(void *ud); /* of a host's own memory and of pinned memory, else NULL */
      void *ud;
    };
    struct {            /* on a device */
      void *stream;     /* in whose order the block is freed and reused */
      pti_users *users; /* other streams that used it, or NULL */
    };
  };
} pti_storage;

/* Memory on a device; NULL on failure. */
pti_storage *pti_storage_new(size_t bytes, int device);
/* Memory of a host, freed by `release`. */
pti_storage *pti_storage_of_host(void *data, size_t bytes, void (*release)(void *), void *ud);
/* Memory of the CPU, pinned for a device. */
pti_storage *pti_storage_pinned(size_t bytes, int device);
bool pti_storage_is_pinned(const pti_storage *s);
/* From now on another thread has the storage, too. */
void pti_storage_cross(pti_storage *s);
/* The same bytes in memory of their own. */
pti_storage *pti_storage_copy(const pti_storage *s);
void pti_storage_release(pti_storage *s);
/* Waits for a copy from or to pinned memory; false, with the reason, where the device failed. */
bool pti_storage_arrive(pti_storage *s);
/* Waits until the device has done what this thread asked it to do with the memory. */
void pti_settle(const pti_storage *s);
/* The stream uses the memory: it is not given to another before the stream has finished the work queued so far. */
void pti_note_stream(pti_storage *s, void *stream);

#endif
