/* channel.c: packets, and channels: queues of packets between any threads. */
#include "jobs/channel.h"

#include <stdlib.h>

#include "wait.h"
#include "mem.h"

/* ---- packets ---- */

void pti_packet_free(pti_packet *packet) {
  for (size_t i = 0; i < packet->nparcel; i++) pt_parcel_free(packet->parcel[i]);
  for (size_t i = 0; i < packet->nchannel; i++) pti_channel_release(packet->channel[i]);
  free(packet->parcel);
  free(packet->channel);
  free(packet->data);
  if (packet->booked) pti_unbook(packet->account, packet->booked);
  *packet = (pti_packet){0};
}

/* A packet is booked as what others have, to whom it is on its way. */
static bool book(pti_packet *packet, size_t more) {
  pti_account *on = packet->account;
  if (on == NULL && packet->cap == 0) {
    if (!pti_book(more, &on)) return false;
    packet->account = pti_account_lift(on, more);
  } else if (on && !pti_account_take(on, more)) {
    return pti_account_refuse(on, more);
  }
  if (packet->account) packet->booked += more;
  return true;
}

static bool grow(pti_packet *packet, size_t cap) {
  char *data = realloc(packet->data, cap);
  if (data == NULL) return pti_refuse(PT_EMEMORY, "pack: out of memory for %zu bytes", cap);
  packet->data = data;
  packet->cap = cap;
  return true;
}

bool pti_packet_grow(pti_packet *packet, size_t n) {
  size_t cap = packet->cap ? packet->cap : 64;
  while (cap < packet->n + n) cap *= 2;
  return book(packet, cap - packet->cap) && grow(packet, cap);
}

bool pti_packet_put_last(pti_packet *packet, char byte) {
  if (packet->n == packet->cap && !grow(packet, packet->cap + 64)) return false;
  packet->data[packet->n++] = byte;
  return true;
}

/* Room for one more in a list of pointers. */
static bool reserve(void **list, size_t n, size_t *cap) {
  if (n < *cap) return true;
  size_t more = *cap ? 2 * *cap : 8;
  void *larger = realloc(*list, more * sizeof(void *));
  if (larger == NULL) return pti_refuse(PT_EMEMORY, "pack: out of memory for %zu objects", more);
  *list = larger;
  *cap = more;
  return true;
}

bool pti_packet_add_tensor(pti_packet *packet, pt_tensor *x) {
  if (!reserve((void **)&packet->parcel, packet->nparcel, &packet->cap_parcel)) return false;
  pt_parcel *parcel = pt_pack(x);
  if (parcel) packet->parcel[packet->nparcel++] = parcel;
  return parcel != NULL;
}

bool pti_packet_add_channel(pti_packet *packet, pti_channel *channel) {
  if (!reserve((void **)&packet->channel, packet->nchannel, &packet->cap_channel)) return false;
  packet->channel[packet->nchannel++] = pti_channel_retain(channel);
  return true;
}

void pti_packet_cut(pti_packet *packet, size_t n, size_t nparcel) {
  while (packet->nparcel > nparcel) pt_parcel_free(packet->parcel[--packet->nparcel]);
  packet->n = n;
}

void pti_message_free(pti_message *m) {
  if (m == NULL) return;
  pti_packet_free(&m->packet);
  free(m);
}

/* ---- channels ---- */

struct pti_channel {
  atomic_int refs;
  pthread_mutex_t mutex;
  pthread_cond_t change;
  atomic_uint news; /* grows with every change */
  int64_t capacity, n;
  pti_message *head, *tail;
  bool closed;
  pti_channel *next; /* of those to be freed */
};

pti_channel *pti_channel_new(int64_t capacity) {
  pti_channel *c = calloc(1, sizeof *c);
  if (c == NULL) return pti_fail(PT_EMEMORY, "channel: out of memory");
  c->capacity = capacity;
  atomic_init(&c->refs, 1);
  pthread_mutex_init(&c->mutex, NULL);
  pti_init_cond(&c->change);
  return c;
}

pti_channel *pti_channel_retain(pti_channel *channel) {
  atomic_fetch_add(&channel->refs, 1);
  return channel;
}

/* A message may hold the last reference to another channel: such channels wait their turn here, so that long chains
   are freed without recursion. */
static _Thread_local pti_channel *dying;
static _Thread_local bool freeing;

void pti_channel_release(pti_channel *channel) {
  if (channel == NULL || atomic_fetch_sub(&channel->refs, 1) != 1) return;
  channel->next = dying;
  dying = channel;
  if (freeing) return;
  freeing = true;
  while ((channel = dying) != NULL) {
    dying = channel->next;
    for (pti_message *m = channel->head, *after; m; m = after) {
      after = m->link;
      pti_message_free(m);
    }
    pthread_mutex_destroy(&channel->mutex);
    pthread_cond_destroy(&channel->change);
    free(channel);
  }
  freeing = false;
}

/* Waits until there is room (or, for `pop`, a message), the channel is closed or time is up; the mutex is held. */
static void await(pti_channel *c, bool pop, double seconds) {
  double end = pt_clock() + seconds, left;
  bool spun = false;
  while (!c->closed && (pop ? c->n == 0 : c->n >= c->capacity) && (left = end - pt_clock()) > 0 &&
         pti_poll()) {
    if (spun) pti_wait_slice(&c->change, &c->mutex, left);
    else pti_wait_spinning(&c->news, &c->mutex);
    spun = true;
  }
}

/* Wakes the threads that wait; the mutex is held. */
static void changed(pti_channel *c) {
  pthread_cond_broadcast(&c->change);
  atomic_fetch_add(&c->news, 1);
}

bool pti_channel_push(pti_channel *c, pti_message *m, double seconds, bool *closed) {
  pthread_mutex_lock(&c->mutex);
  await(c, false, seconds);
  *closed = c->closed;
  bool room = !c->closed && c->n < c->capacity;
  if (room) {
    *(c->tail ? &c->tail->link : &c->head) = m;
    c->tail = m;
    c->n++;
    changed(c);
  }
  pthread_mutex_unlock(&c->mutex);
  return room;
}

pti_message *pti_channel_pop(pti_channel *c, double seconds, bool *closed) {
  pthread_mutex_lock(&c->mutex);
  await(c, true, seconds);
  *closed = c->closed;
  pti_message *m = c->head;
  if (m) {
    c->head = m->link;
    if (c->head == NULL) c->tail = NULL;
    c->n--;
    changed(c);
  }
  pthread_mutex_unlock(&c->mutex);
  return m;
}

void pti_channel_close(pti_channel *c) {
  pthread_mutex_lock(&c->mutex);
  c->closed = true;
  changed(c);
  pthread_mutex_unlock(&c->mutex);
}

int64_t pti_channel_len(pti_channel *c) {
  pthread_mutex_lock(&c->mutex);
  int64_t n = c->n;
  pthread_mutex_unlock(&c->mutex);
  return n;
}
