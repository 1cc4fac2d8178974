// A client that does one thing at a time and waits for it, for scenarios told step by step.
#ifndef CAIRN_TESTS_SIM_SCRIPTED_CLIENT_H_
#define CAIRN_TESTS_SIM_SCRIPTED_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <absl/time/time.h>

#include "client/client.h"
#include "tests/sim/chains.h"
#include "tests/sim/cluster.h"
#include "tests/sim/payload.h"

namespace cairn::sim {

// What a call ended with, and how long it took.
struct Answer {
  Completion completion;
  absl::Duration took;
};

class ScriptedClient {
 public:
  static constexpr size_t kSlots = 32;

  // tenant: 0 or 1.
  ScriptedClient(Cluster& cluster, size_t tenant);
  ~ScriptedClient();
  ScriptedClient(const ScriptedClient&) = delete;
  ScriptedClient& operator=(const ScriptedClient&) = delete;

  Client& client() { return *client_; }
  SimHost& host() { return host_; }
  std::vector<BlockKey> Keys(uint64_t conversation, size_t length) const;

  // The first `count` keys of a chain, from and into the slots of the same numbers. One answer
  // each.
  std::vector<Answer> Put(const std::vector<BlockKey>& keys,
                          absl::Duration timeout = absl::Seconds(1));
  std::vector<Answer> Get(const std::vector<BlockKey>& keys, LeaseId lease = LeaseId::kNone,
                          absl::Duration timeout = absl::Seconds(1));
  Answer Match(const std::vector<BlockKey>& keys, absl::Duration timeout = absl::Seconds(1));
  // The same without waiting for the answers, which Wait returns.
  void StartGet(const std::vector<BlockKey>& keys, LeaseId lease, absl::Duration timeout);
  std::vector<Answer> Wait();

  // Whether the slot holds what this tenant stores under the key.
  bool Holds(size_t slot, const BlockKey& key) const;
  absl::Span<std::byte> slot(size_t i) {
    return absl::MakeSpan(memory_).subspan(i * block_bytes_, block_bytes_);
  }
  // Kill -9.
  void Crash();

 private:
  std::vector<Transfer> MakeBatch(const std::vector<BlockKey>& keys);
  size_t Step();

  Cluster& cluster_;
  SimHost& host_;
  Runtime runtime_;
  const uint32_t tenant_;
  const uint32_t block_bytes_;
  std::vector<std::byte> memory_;
  std::vector<Extents> extents_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
  std::map<uint64_t, Answer> answers_;  // by tag
  std::vector<uint64_t> waiting_;
  Instant submitted_{};
  uint64_t last_tag_ = 0;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_SCRIPTED_CLIENT_H_
