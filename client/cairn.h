/* Cairn's client as a C library: finds, pins, fetches and stores the KV blocks of one cluster.
 *
 * Stable ABI, version 1 (symbols CAIRN_1). Structs that begin with struct_bytes grow at their end
 * only: set it to sizeof, and zero the rest (`cairn_options o = {.struct_bytes = sizeof o};`); zero
 * and NULL mean the default. The others never grow; their reserved fields must be zero.
 *
 * Errors are negated absl::StatusCode values (CAIRN_INVALID_ARGUMENT and so on); cairn_error() has
 * the text. A miss is no error: it comes as a completion, with its reason.
 *
 * Threads: one at a time per client and its regions. No callback, no thread of the caller's is
 * blocked but in cairn_connect, cairn_wait and cairn_advance. Deadlines are CLOCK_MONOTONIC in
 * nanoseconds. What is promised of them and of the bytes: client/client.h and docs/client.md. */
#ifndef CAIRN_CLIENT_CAIRN_H_
#define CAIRN_CLIENT_CAIRN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAIRN_ABI_VERSION 1

typedef enum {
  CAIRN_OK = 0,
  CAIRN_CANCELLED = -1,           /* client closed or region gone */
  CAIRN_INVALID_ARGUMENT = -3,    /* the caller's bug; the text names the field */
  CAIRN_DEADLINE_EXCEEDED = -4,   /* fenced; recompute */
  CAIRN_NOT_FOUND = -5,           /* recompute */
  CAIRN_RESOURCE_EXHAUSTED = -8,  /* a bound was reached; poll, then retry */
  CAIRN_FAILED_PRECONDITION = -9, /* refresh: match again */
  CAIRN_INTERNAL = -13,           /* our bug or the system's; the text tells */
  CAIRN_UNAVAILABLE = -14,        /* nobody answered */
  CAIRN_DATA_LOSS = -15,          /* bytes differed from their checksum; recompute */
  CAIRN_UNAUTHENTICATED = -16     /* tenant or secret */
} cairn_code;

typedef struct cairn_client cairn_client;
typedef struct cairn_region cairn_region;
typedef uint64_t cairn_lease; /* 0: none */

typedef struct {
  uint8_t bytes[16];
} cairn_key;

typedef struct {
  uint32_t struct_bytes;
  uint32_t operations_max;      /* transfers queued or in flight; default 65536 */
  const char* coordinators;     /* "host:port,host:port", tried in order */
  const char* tenant_file;      /* as `cairn tenant add NAME --out FILE` writes it */
  const char* ca_file;          /* PEM; with it or certificate_file the coordinators speak TLS */
  const char* certificate_file; /* PEM, our own, for mTLS */
  const char* key_file;         /* PEM */
  const char* ucx_tls;          /* UCX_TLS; default "tcp" */
  int64_t connect_timeout_ns;   /* default 5 s */
  int64_t lease_ns;             /* how long a match holds its pins; default 10 s */
  uint64_t inflight_bytes_max;  /* over all nodes; default 64 MiB */
  const char* urgency;          /* of all gets: interactive, standard (default) or batch */
} cairn_options;

/* Everything that decides whether bytes are interchangeable; proto/cairn/v1/namespace.proto tells
 * more. */
typedef struct {
  uint32_t struct_bytes;
  uint32_t block_bytes;          /* 4 KiB to 64 MiB */
  const char* model;             /* name for people; part of the identity */
  const uint8_t* model_digest;   /* 32 bytes, revision of the weights */
  const uint8_t* adapter_digest; /* 32 bytes or NULL */
  const char* kv_dtype;          /* "bf16", "fp8_e4m3", ... */
  const char* layout;            /* fingerprint of the engine's order of dimensions */
  const char* hash_scheme;       /* "vllm.sha256_cbor", ... */
  uint32_t layers;               /* of this rank */
  uint32_t kv_heads;
  uint32_t head_size; /* elements */
  uint32_t tokens_per_block;
  uint32_t tensor_parallel_rank;
  uint32_t tensor_parallel_size; /* 0 means 1 */
  uint32_t pipeline_rank;
  uint32_t pipeline_size; /* 0 means 1 */
  uint32_t cache_group;
  uint32_t reserved;
} cairn_namespace;

/* A buffer of the caller's. */
typedef struct {
  void* base;
  uint64_t size_bytes;
} cairn_piece;

/* count pieces of size_bytes each, the i-th at base_bytes + i * stride_bytes of the region. */
typedef struct {
  uint64_t base_bytes;
  uint64_t stride_bytes; /* ignored with count 1 */
  uint32_t count;
  uint32_t size_bytes;
} cairn_extents;

typedef struct {
  cairn_key key;
  cairn_region* region;
  const cairn_extents* extents; /* copied by the call; the block is their concatenation */
  uint64_t tag;                 /* comes back with the completion */
  uint32_t extents_count;       /* 1 to 256 */
  uint32_t position;            /* put only: in its chain */
  cairn_key parent;             /* put only: of the block before it; zero at position 0 */
  cairn_key run_key;            /* put only: key of the block at cairn_run_start(position) */
  uint64_t reserved[2];
} cairn_transfer;

typedef struct {
  uint64_t tag;
  int32_t code;      /* cairn_code */
  uint32_t reason;   /* cairn_miss_reason_name() has the word; 0 with CAIRN_OK and blocks > 0 */
  cairn_lease lease; /* match only; release it */
  uint32_t blocks;   /* match only: leading blocks that are held */
  uint32_t reserved[3];
} cairn_completion;

typedef struct {
  uint32_t struct_bytes;
  uint32_t will_return; /* 1: this session comes back */
  uint32_t one_off;     /* 1: nobody asks again; outweighs the others */
  int32_t priority;     /* -1 low: goes before its like; 0; 1 high: as will_return */
} cairn_put_hints;

typedef struct {
  uint32_t struct_bytes;
  uint32_t reserved;
  uint64_t gets, get_hits, get_bytes;
  uint64_t puts, puts_stored, put_bytes;
  uint64_t matches, locates, location_cache_hits;
  uint64_t reconnects, fences, checksum_failures, late_arrivals_refused;
  uint64_t get_p50_ns, get_p99_ns; /* of the gets that hit */
} cairn_statistics;

/* Blocks until a coordinator opened a session. *out is NULL on error. CAIRN_INVALID_ARGUMENT,
 * CAIRN_NOT_FOUND (a file), CAIRN_UNAUTHENTICATED, CAIRN_UNAVAILABLE, CAIRN_FAILED_PRECONDITION
 * (the cluster is too old or too new for this library; the text names both and which to upgrade).
 */
int cairn_connect(const cairn_options* options, const cairn_namespace* ns, cairn_client** out);
/* Cancels all; on return no NIC touches any region. Regions may be unregistered later. NULL:
 * nothing. */
void cairn_close(cairn_client* client);

/* Memory that transfers may name: milliseconds, once. It stays mapped until cairn_unregister or
 * cairn_close. CAIRN_RESOURCE_EXHAUSTED: memlock, the text names the setting. */
int cairn_register(cairn_client* client, void* base, uint64_t size_bytes, cairn_region** out);
/* The same over 1 to 1024 pieces, say a tensor per layer: the region's offsets run through them in
 * order, and one cairn_extents lies in one piece. CAIRN_INVALID_ARGUMENT: one is empty, or two
 * overlap. */
int cairn_register_pieces(cairn_client* client, const cairn_piece* pieces, size_t count,
                          cairn_region** out);
/* First ends the transfers that name it: on return no NIC touches its bytes. NULL: nothing. */
void cairn_unregister(cairn_region* region);

/* Keys of this tenant and namespace for `count` chained block hashes of hash_bytes (1 to 64) each.
 */
int cairn_make_keys(const cairn_client* client, const void* block_hashes, size_t hash_bytes,
                    size_t count, cairn_key* out);
/* Position at which the run begins that holds this position. */
uint32_t cairn_run_start(uint32_t position);

/* Finds and pins the longest available prefix of a chain (keys from position 0 on, 65,536 at most).
 */
int cairn_match(cairn_client* client, const cairn_key* chain, size_t count, uint64_t tag,
                int64_t deadline_ns);
/* All are queued or none; each completes once. lease: of a match that holds them, or 0. */
int cairn_get(cairn_client* client, const cairn_transfer* batch, size_t count, cairn_lease lease,
              int64_t deadline_ns);
/* Idempotent; the bytes are the caller's again at completion. Blocks of one run head first.
 * hints may be NULL. */
int cairn_put(cairn_client* client, const cairn_transfer* batch, size_t count,
              const cairn_put_hints* hints, int64_t deadline_ns);
/* The same with a copy made within the call: the bytes are the caller's when it returns. */
int cairn_put_behind(cairn_client* client, const cairn_transfer* batch, size_t count,
                     const cairn_put_hints* hints, int64_t deadline_ns);
/* Lets a match's blocks go. Unknown or ended leases are ignored. */
void cairn_release(cairn_client* client, cairn_lease lease);

/* Advances everything, writes up to `capacity` completions, returns how many. Never blocks. */
size_t cairn_poll(cairn_client* client, cairn_completion* out, size_t capacity);
/* Readable when cairn_poll may have work, deadlines included. The client's own; do not close it. */
int cairn_event_fd(const cairn_client* client);
/* Call before sleeping on the descriptor. 0: poll again first. */
int cairn_prepare_to_sleep(cairn_client* client);
/* Sleeps until cairn_poll may have work or the time has passed. */
void cairn_wait(cairn_client* client, int64_t timeout_ns);
/* Advances clients of this thread until a batch or a match of one of them has ended: writes up to
 * `capacity` of that one's completions, its index to *of, and returns how many. 0: the time has
 * passed, or wake_fd was written to: an eventfd, which is read here, or -1. For loops to which each
 * call is dear, an interpreter's for one: between calls no client advances. */
size_t cairn_advance(cairn_client* const* clients, size_t count, int wake_fd, int64_t timeout_ns,
                     cairn_completion* out, size_t capacity, size_t* of);
/* 1 while a session is open. */
int cairn_ready(const cairn_client* client);

/* Fills out->struct_bytes bytes of it. */
int cairn_get_statistics(const cairn_client* client, cairn_statistics* out);

/* "absent", "deadline", ...; static storage. */
const char* cairn_miss_reason_name(uint32_t reason);
/* Of the last call on this thread that failed; valid until its next call of ours. */
const char* cairn_error(void);
const char* cairn_version(void);
/* Of the coordinator that opened the session; valid until the client's next call. */
const char* cairn_server_version(const cairn_client* client);

#ifdef __cplusplus
}
#endif

#endif /* CAIRN_CLIENT_CAIRN_H_ */
