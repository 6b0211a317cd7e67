/* channel.h: packets, which carry a value from one thread to another, and channels, which are queues of them. */
#ifndef PTI_JOBS_CHANNEL_H
#define PTI_JOBS_CHANNEL_H

#include "base.h"

typedef struct pti_channel pti_channel;

/* Bytes, and what they refer to by its number: tensors, as parcels, and channels. */
typedef struct pti_packet {
  char *data;
  size_t n, cap;
  pt_parcel **parcel;
  size_t nparcel, cap_parcel;
  pti_channel **channel;
  size_t nchannel, cap_channel;
  struct pti_account *account; /* on which `booked` bytes are, or NULL */
  size_t booked;
} pti_packet;

void pti_packet_free(pti_packet *packet);
/* Makes room for n more bytes. This and the next two return false where there is no memory. */
bool pti_packet_grow(pti_packet *packet, size_t n);
/* One more byte, whatever limits say: for the news that they were reached. */
bool pti_packet_put_last(pti_packet *packet, char byte);
bool pti_packet_add_tensor(pti_packet *packet, pt_tensor *x);
bool pti_packet_add_channel(pti_packet *packet, pti_channel *channel);
/* Drops what was added after the packet had so many bytes and parcels. */
void pti_packet_cut(pti_packet *packet, size_t n, size_t nparcel);

typedef struct pti_message {
  pti_packet packet;
  struct pti_message *link;
} pti_message;

void pti_message_free(pti_message *m);

/* A channel has room for `capacity` messages, at least one. */
pti_channel *pti_channel_new(int64_t capacity);
pti_channel *pti_channel_retain(pti_channel *channel);
void pti_channel_release(pti_channel *channel);
/* Takes over the message and returns true; false after `seconds` without room, and when the channel is *closed. */
bool pti_channel_push(pti_channel *c, pti_message *m, double seconds, bool *closed);
/* The oldest message, the caller's from then on; NULL after `seconds` without one, and when *closed. */
pti_message *pti_channel_pop(pti_channel *c, double seconds, bool *closed);
void pti_channel_close(pti_channel *c);
int64_t pti_channel_len(pti_channel *c);

#endif
