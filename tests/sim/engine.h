// A simulated inference engine: matches, reads and stores chains through the production client, and
// holds every answer against the promises.
#ifndef CAIRN_TESTS_SIM_ENGINE_H_
#define CAIRN_TESTS_SIM_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "base/random.h"
#include "base/runtime.h"
#include "cairn/v1/namespace.pb.h"
#include "client/client.h"
#include "proto/block_key.h"
#include "tests/sim/chains.h"
#include "tests/sim/verdict.h"
#include "tests/sim/watched_memory.h"
#include "transport/sim/sim_host.h"

namespace cairn::sim {

struct EngineOptions {
  ClientOptions client;
  v1::Namespace ns;
  uint32_t tenant = 0;
  TenantSecret foreign_secret{};  // of another tenant: its keys are asked for, too
  size_t chain_blocks_max = 40;
  size_t slot_count = 64;
  uint64_t seed = 1;
  bool honest_network = true;  // headers arrive as they were sent, once
};

class Engine {
 public:
  Engine(SimHost& host, const EngineOptions& options, Ledger& ledger, Verdict& verdict);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A new process with a new client. The host is alive.
  void Start();
  // kill -9 or a loss of power; the host is dead afterwards.
  void Crash(SimCrash how);
  // The engine lets its client go and keeps its memory; whatever was in flight must be fenced.
  void Shutdown();
  bool running() const { return client_ != nullptr; }

  // From now on: store a chain that nobody knows and read it back, again and again, until it works.
  void BeginProbe();
  bool probed() const { return probed_; }

  // P6, at the moment of each landing and for all memory at rest.
  void CheckLanding(absl::Span<const std::byte> destination);
  void CheckMemory();

  SimHost& host() { return host_; }

 private:
  enum class OpKind { kMatch, kGet, kPut };
  struct Op {
    OpKind kind;
    uint64_t request;
    size_t position = 0;
    SlotIndex slot = 0;
    Instant deadline;
  };
  enum class BlockState { kUnread, kReading, kHit, kMissed, kWriting, kStored, kRefused };
  struct Request {
    std::vector<BlockKey> keys;
    std::vector<BlockState> blocks;
    bool foreign = false;  // keys of another tenant
    bool writes = false;   // stores what was not there
    bool probe = false;
    size_t read_end = 0;  // blocks before it are read, by lease or by location
    size_t outstanding = 0;
    LeaseId lease = LeaseId::kNone;
    bool keeps_lease = false;
    bool early_release = false;
  };

  size_t Step();
  void NoteTime();
  void CheckOverdue();
  void BeginRequest();
  Request NewRequest();
  void SubmitMatch(uint64_t id, Request& request);
  // Submits what the request still has to read, then to write, as far as slots are free; ends it
  // when nothing is left.
  void Advance(uint64_t id);
  size_t SubmitReads(uint64_t id, Request& request);
  size_t SubmitWrites(uint64_t id, Request& request);
  void EndRequest(uint64_t id, Request& request);
  void EndProbe(const Request& request);
  Transfer MakeTransfer(const Request& request, size_t position, SlotIndex slot, uint64_t tag);
  bool Submitted(const absl::Status& status, const std::vector<Transfer>& batch);

  void OnCompletion(const Completion& completion);
  void OnMatch(const Completion& completion, Request& request);
  void OnGet(const Completion& completion, const Op& op, Request& request);
  void OnPut(const Completion& completion, const Op& op, Request& request);
  void CheckReason(const Completion& completion, const Request& request);
  void CheckDeadline(const Op& op, Instant now);
  void Fail(const std::string& what);

  bool Chance(uint32_t percent) { return random_.Below(100) < percent; }
  Instant Now() { return host_.clock().Now(); }
  Instant DeadlineIn(absl::Duration least, absl::Duration most);

  SimHost& host_;
  const EngineOptions options_;
  Ledger& ledger_;
  Verdict& verdict_;
  SeededRandom random_;
  WatchedMemory memory_;
  const NamespaceId namespace_;
  const BlockKeyMaker foreign_keys_;
  Runtime runtime_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
  std::map<uint64_t, Op> ops_;
  std::map<uint64_t, Request> requests_;
  uint64_t last_id_ = 0;
  uint64_t runs_in_boot_ = 0;  // of the host whose thread steps this engine
  Instant last_step_{};
  Instant resumed_at_{};  // the last time that the process ran again after a pause
  Instant next_request_{};
  bool probing_ = false;
  bool probed_ = false;
  uint64_t probe_chain_ = 0;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_ENGINE_H_
