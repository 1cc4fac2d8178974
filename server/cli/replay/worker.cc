#include "server/cli/replay/worker.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/status.h"
#include "proto/little_endian.h"
#include "server/cli/replay/payload.h"

namespace cairn {
namespace {

constexpr size_t kPollBatch = 256;

class ReplayWorker {
 public:
  explicit ReplayWorker(BlockClient& blocks) : blocks_(blocks), client_(blocks.client()) {}

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
      CountOf(outcome.misses, match.reason) += keys_.size() - held;
    }
    Get(held, match.lease);
    client_.Release(match.lease);
    Put(outcome.hits);
  }

 private:
  void MakeKeys(const TraceRequest& request) {
    keys_.clear();
    for (const uint64_t id : request.block_ids) {
      const U64Le encoded = id;
      keys_.push_back(
          client_.MakeKey({reinterpret_cast<const std::byte*>(&encoded), sizeof(encoded)}));
    }
  }

  // Polls until `count` completions came, handing each to `take`.
  template <typename Take>
  void Await(size_t count, Instant deadline, Take take) {
    Completion completions[kPollBatch];
    while (count > 0) {
      const size_t got = blocks_.Collect(absl::MakeSpan(completions));
      const Instant now = RealClock().Now();
      for (size_t i = 0; i < got; ++i) {
        if (blocks_.WasLate(deadline)) ++outcome_->late_answers;
        take(completions[i], now);
      }
      count -= got;
    }
  }

  Completion Match() {
    const Instant deadline = blocks_.DeadlineFromNow();
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
      transfers_.push_back(blocks_.MakeTransfer(keys_, i, i));
      std::memset(blocks_.Slot(i).data(), 0, blocks_.block_bytes());
    }
    const Instant begun = RealClock().Now();
    const Instant deadline = blocks_.DeadlineFromNow();
    if (!client_.Get(transfers_, lease, deadline).ok()) {
      CountOf(outcome_->misses, wire::MissReason::kOverload) += held;
      return;
    }
    std::vector<bool> good(held, false);
    Await(held, deadline, [&](const Completion& completion, Instant now) {
      if (completion.code != absl::StatusCode::kOk) {
        ++CountOf(outcome_->misses, completion.reason);
        return;
      }
      good[completion.tag] = true;
      latencies_->push_back(static_cast<uint32_t>(absl::ToInt64Microseconds(now - begun)));
      outcome_->got_bytes += blocks_.block_bytes();
    });
    while (outcome_->hits < held && good[outcome_->hits]) ++outcome_->hits;
    for (size_t i = 0; i < held; ++i) {
      if (good[i]) outcome_->wrong_bytes += CountWrongBytes(keys_[i], blocks_.Slot(i));
    }
  }

  void Put(size_t first) {
    if (first == keys_.size()) return;
    transfers_.clear();
    for (size_t i = first; i < keys_.size(); ++i) {
      FillPayload(keys_[i], blocks_.Slot(i));
      transfers_.push_back(blocks_.MakeTransfer(keys_, i, i));
    }
    const Instant deadline = blocks_.DeadlineFromNow();
    if (!client_.Put(transfers_, PutHints{}, deadline).ok()) {
      outcome_->put_failures += static_cast<uint32_t>(transfers_.size());
      return;
    }
    Await(transfers_.size(), deadline, [this](const Completion& completion, Instant) {
      if (completion.code == absl::StatusCode::kOk) {
        outcome_->put_bytes += blocks_.block_bytes();
      } else {
        ++outcome_->put_failures;
      }
    });
  }

  BlockClient& blocks_;
  Client& client_;
  std::vector<BlockKey> keys_;
  std::vector<Transfer> transfers_;
  ReplayOutcome* outcome_ = nullptr;
  std::vector<uint32_t>* latencies_ = nullptr;
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
  size_t blocks_max = 1;
  for (const TraceRequest& request : trace) {
    blocks_max = std::max(blocks_max, request.block_ids.size());
  }
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<BlockClient> client,
                         BlockClient::Connect(options.client, kReplayModel, blocks_max));
  ReplayWorker worker(*client);
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
