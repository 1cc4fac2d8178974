// One client's session with one reactor: two endpoints, leases, transfers. Reactor-owned.
#ifndef CAIRN_SERVER_NODE_SESSION_H_
#define CAIRN_SERVER_NODE_SESSION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/clock.h"
#include "cache/shard.h"
#include "proto/token.h"
#include "proto/wire.h"
#include "server/node/get_latencies.h"
#include "transport/transport.h"

namespace cairn {

struct Lease {
  Instant expiry;
  std::vector<BlockRef> blocks;  // at most wire::kPinBlocksMax, each pinned once
  uint64_t bytes = 0;
};

inline constexpr uint32_t kNoSend = UINT32_MAX;

// A block on its way to a client.
struct Send {
  struct Session* session = nullptr;  // nullptr: the record is free
  EndpointId endpoint = EndpointId::kNone;
  uint64_t request = 0;
  uint16_t block_index = 0;
  BlockRef block = BlockRef::kNone;  // pinned by this record
  BlockInfo info{};
  uint32_t chunk_bytes = 0;
  uint32_t next_offset = 0;  // of the first chunk not handed to the lane
  uint32_t chunks_in_flight = 0;
  bool stopped = false;             // no further chunk: expired, canceled or failed
  bool waiting = false;             // for its block to come from NVMe; not in the session's queue
  uint32_t next_waiting = kNoSend;  // for the same block
  bool broken = false;              // a chunk failed: the lane may read the block until OnClosed
  v1::BlockTier tier = v1::DRAM_TIER;  // where it lay when it was asked for
  v1::Urgency urgency = v1::STANDARD;
  GetTimes times;
  Instant deadline;
};

// A block on its way from a client.
struct Put {
  struct Session* session = nullptr;  // nullptr: the record is free
  EndpointId endpoint = EndpointId::kNone;
  uint64_t request = 0;
  BlockRef block = BlockRef::kNone;  // reserved by this record
  BlockKey key;
  BlockKey parent;
  NamespaceId ns;
  Checksum checksum;
  bool broken = false;  // its bytes may land until OnClosed
  bool landed = false;  // verified, waits for its parent's seal
};

struct Session {
  TenantId tenant = 0;
  ClientId client;
  uint32_t rights = 0;
  EndpointId control = EndpointId::kNone;
  EndpointId bulk = EndpointId::kNone;
  std::map<uint64_t, Lease> leases;
  std::deque<uint32_t> queue;  // sends with chunks left, oldest first; bounded by sends_max
  uint64_t inflight_bytes_max = 0;
  uint64_t inflight_bytes = 0;
  uint64_t pinned_bytes = 0;
  uint32_t sends = 0;
  uint32_t waiting_sends = 0;  // of those
  uint32_t puts = 0;
  bool in_ring = false;  // of sessions with something to send
  Instant next_suspect;  // before it suspicions are not looked into
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_SESSION_H_
