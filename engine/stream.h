/* stream.h: streams and events. Work of one stream is done in the order in which it was asked for,
   that of two streams in any. A thread has a stream of its own on each device, and may choose
   another. Memory is safe however streams are used: a block is not handed on before all streams
   that used it have done so. The order of values is the script's: wait_stream, wait_event. */
#ifndef PTI_STREAM_H
#define PTI_STREAM_H

#include "device.h"

/* An event: a mark in a stream once it was recorded. */
struct pt_event {
  int device;
  bool timed;
  void *mark, *stream; /* NULL before it was recorded */
};

/* Whether any thread ever asked for a stream of its choice: until then each thread has one only. */
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

/* A block that copies to and from `device` may use while the host goes on. */
void *pti_pin(int device, size_t bytes);
/* `busy` (or NULL): a copy that may still be under way; taken over. */
void pti_unpin(int device, void *block, size_t bytes, pt_event *busy);
void pti_unpin_all(void); /* what is kept */

#endif
