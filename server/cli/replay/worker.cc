#include "server/cli/replay/worker.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/handle.h"
#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "client/client.h"
#include "client/tenant_file.h"
#include "server/cli/replay/payload.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr int kSleep_ms = 50;  // the client's descriptor wakes us; this bounds a lost wake-up
constexpr size_t kPollBatch = 256;
// The clock is read after the completion was made; P2's bound is the fence, this is the reading's.
constexpr absl::Duration kLateAllowance = absl::Milliseconds(20);

v1::Namespace TraceNamespace(uint64_t block_bytes) {
  v1::Namespace ns;
  ns.set_model("trace-replay");
  ns.set_model_digest(std::string(32, '\x5a'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("opaque");
  ns.set_layers(1);
  ns.set_kv_heads(1);
  ns.set_head_size(1);
  ns.set_tokens_per_block(kTraceTokensPerBlock);
  ns.set_hash_scheme("trace.id");
  ns.set_block_bytes(static_cast<uint32_t>(block_bytes));
  return ns;
}

class ReplayWorker {
 public:
  ReplayWorker(Client& client, MemoryRegion& region, uint64_t block_bytes, absl::Duration timeout)
      : client_(client), region_(region), block_bytes_(block_bytes), timeout_(timeout) {}

  void Serve(const TraceRequest& request, ReplayOutcome& outcome,
             std::vector<uint32_t>& latencies) {
    outcome_ = &outcome;
    latencies_ = &latencies;
    MakeKeys(request);
    outcome.lookups = static_cast<uint32_t>(keys_.size());
    const Completion match = Match();
    const size_t held = match.blocks;
    if (held < keys_.size()) {
      // The first absent block has a reason; those behind it cannot be used, whatever they are.
      outcome.misses[static_cast<size_t>(match.reason)] +=
          static_cast<uint32_t>(keys_.size() - held);
    }
    Get(held, match.lease);
    client_.Release(match.lease);
    Put(outcome.hits);
  }

 private:
  absl::Span<std::byte> Slot(size_t i) const {
    return region_.bytes().subspan(i * block_bytes_, block_bytes_);
  }

  void MakeKeys(const TraceRequest& request) {
    keys_.clear();
    for (const uint64_t id : request.block_ids) {
      const U64Le encoded = id;
      keys_.push_back(
          client_.MakeKey({reinterpret_cast<const std::byte*>(&encoded), sizeof(encoded)}));
    }
  }

  Transfer MakeTransfer(size_t i) {
    extents_[i] = {i * block_bytes_, 0, 1, static_cast<uint32_t>(block_bytes_)};
    Transfer transfer;
    transfer.key = keys_[i];
    transfer.region = &region_;
    transfer.extents = {&extents_[i], 1};
    transfer.tag = i;
    transfer.position = static_cast<uint32_t>(i);
    transfer.parent = i == 0 ? BlockKey{} : keys_[i - 1];
    transfer.run_key = keys_[RunStart(static_cast<uint32_t>(i))];
    return transfer;
  }

  // Polls until `count` completions came, handing each to `take`.
  template <typename Take>
  void Await(size_t count, Instant deadline, Take take) {
    Completion completions[kPollBatch];
    while (count > 0) {
      const size_t got = client_.Poll(absl::MakeSpan(completions));
      const Instant now = RealClock().Now();
      for (size_t i = 0; i < got; ++i) {
        if (now > deadline + kLateAllowance) ++outcome_->late_answers;
        take(completions[i], now);
      }
      count -= got;
      if (got == 0 && client_.PrepareToSleep()) {
        pollfd waiting{client_.event_fd(), POLLIN, 0};
        poll(&waiting, 1, kSleep_ms);
      }
    }
  }

  Completion Match() {
    const Instant deadline = RealClock().Now() + timeout_;
    Completion match;
    if (!client_.Match(keys_, 0, deadline).ok()) {
      match.reason = wire::MissReason::kOverload;
      return match;
    }
    Await(1, deadline, [&match](const Completion& completion, Instant) { match = completion; });
    return match;
  }

  void Get(size_t held, LeaseId lease) {
    if (held == 0) return;
    transfers_.clear();
    for (size_t i = 0; i < held; ++i) {
      transfers_.push_back(MakeTransfer(i));
      std::memset(Slot(i).data(), 0, block_bytes_);
    }
    const Instant begun = RealClock().Now();
    const Instant deadline = begun + timeout_;
    if (!client_.Get(transfers_, lease, deadline).ok()) {
      outcome_->misses[static_cast<size_t>(wire::MissReason::kOverload)] +=
          static_cast<uint32_t>(held);
      return;
    }
    std::vector<bool> good(held, false);
    Await(held, deadline, [&](const Completion& completion, Instant now) {
      if (completion.code != absl::StatusCode::kOk) {
        ++outcome_->misses[static_cast<size_t>(completion.reason)];
        return;
      }
      good[completion.tag] = true;
      latencies_->push_back(static_cast<uint32_t>(absl::ToInt64Microseconds(now - begun)));
      outcome_->got_bytes += block_bytes_;
    });
    while (outcome_->hits < held && good[outcome_->hits]) ++outcome_->hits;
    for (size_t i = 0; i < held; ++i) {
      if (good[i]) outcome_->wrong_bytes += CountWrongBytes(keys_[i], Slot(i));
    }
  }

  void Put(size_t first) {
    if (first == keys_.size()) return;
    transfers_.clear();
    for (size_t i = first; i < keys_.size(); ++i) {
      FillPayload(keys_[i], Slot(i));
      transfers_.push_back(MakeTransfer(i));
    }
    const Instant deadline = RealClock().Now() + timeout_;
    if (!client_.Put(transfers_, PutHints{}, deadline).ok()) {
      outcome_->put_failures += static_cast<uint32_t>(transfers_.size());
      return;
    }
    Await(transfers_.size(), deadline, [this](const Completion& completion, Instant) {
      if (completion.code == absl::StatusCode::kOk) {
        outcome_->put_bytes += block_bytes_;
      } else {
        ++outcome_->put_failures;
      }
    });
  }

  Client& client_;
  MemoryRegion& region_;
  const uint64_t block_bytes_;
  const absl::Duration timeout_;
  std::vector<BlockKey> keys_;
  std::vector<Transfer> transfers_;
  std::array<Extents, kTraceBlocksMax> extents_;
  ReplayOutcome* outcome_ = nullptr;
  std::vector<uint32_t>* latencies_ = nullptr;
};

struct Unmap {
  size_t bytes;
  void operator()(std::byte* memory) const { munmap(memory, bytes); }
};

absl::Status SendOutcome(int channel, ReplayOutcome& outcome,
                         const std::vector<uint32_t>& latencies) {
  outcome.get_count = static_cast<uint32_t>(latencies.size());
  std::string packet(reinterpret_cast<const char*>(&outcome), sizeof(outcome));
  packet.append(reinterpret_cast<const char*>(latencies.data()), latencies.size() * 4);
  if (send(channel, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    return FromErrno(errno, "send to the replay's dispatcher");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunReplayWorker(const ReplayWorkerOptions& options, int channel) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<TraceRequest> trace, ReadTrace(options.trace));
  CAIRN_ASSIGN_OR_RETURN(const TenantFile tenant, ReadTenantFile(options.tenant_file, RealDisk()));
  size_t blocks_max = 1;
  for (const TraceRequest& request : trace) {
    blocks_max = std::max(blocks_max, request.block_ids.size());
  }
  const size_t bytes = blocks_max * options.block_bytes;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return FromErrno(errno, absl::StrCat("mmap of ", bytes, " bytes"));
  const std::unique_ptr<std::byte, Unmap> memory(static_cast<std::byte*>(mapped), Unmap{bytes});

  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  ClientOptions client_options;
  client_options.coordinators = options.coordinators;
  client_options.tenant = tenant.name;
  client_options.secret = tenant.secret;
  CAIRN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Client> client,
      Client::Connect(client_options, TraceNamespace(options.block_bytes), runtime));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<MemoryRegion> region,
                         client->Register({memory.get(), bytes}));
  ReplayWorker worker(*client, *region, options.block_bytes, options.timeout);
  ReplayOrder order;
  while (recv(channel, &order, sizeof(order), 0) == sizeof(order)) {
    if (order.request >= trace.size()) return absl::InternalError("an order beyond the trace");
    ReplayOutcome outcome;
    outcome.request = order.request;
    std::vector<uint32_t> latencies;
    worker.Serve(trace[order.request], outcome, latencies);
    CAIRN_RETURN_IF_ERROR(SendOutcome(channel, outcome, latencies));
  }
  return absl::OkStatus();
}

}  // namespace cairn
