/* stream.h: streams and events. Work on one stream runs in the order in which it was queued, work on
   two streams in any order. A thread has a stream of its own on each device, and may choose
   another. Memory is safe however streams are used: a block is not reused before all streams
   have finished with it. The order of reads and writes is up to the script: wait_stream, wait_event. */
#ifndef PTI_STREAM_H
#define PTI_STREAM_H

#include "device.h"

/* An event: once recorded, a mark in a stream. */
struct pt_event {
  int device;
  bool timed;
  void *mark, *stream; /* NULL before it was recorded */
};

/* Whether any thread has chosen a stream: until then each thread has only one. */
bool pti_streams_made(void);

/* The streams other than that of its allocation that used a block. */
typedef struct pti_users {
  int n;
  void *stream[32];
} pti_users;

/* ---- memory of a device (devmem.c) ---- */

/* Cached; `*stream` becomes the thread's stream, in whose order the block is. */
void *pti_device_alloc(int device, size_t bytes, void **stream);
/* `stream` NULL: all work with the block is done. Takes over `users`, which may be NULL. */
void pti_device_free(int device, void *block, size_t bytes, void *stream, pti_users *users);

/* ---- pinned memory of the host (pinned.c) ---- */

/* A block for asynchronous copies to and from `device`. */
void *pti_pin(int device, size_t bytes);
/* `busy` (or NULL): a copy that may still be in progress; taken over. */
void pti_unpin(int device, void *block, size_t bytes, pt_event *busy);
void pti_unpin_all(void); /* all cached blocks */

#endif
