#include "server/cli/bench/worker.h"

#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "proto/little_endian.h"
#include "server/cli/replay/payload.h"

namespace cairn {
namespace {

constexpr size_t kCollectBatch = 64;

// What stands in for an engine's block hash.
struct ChainHash {
  U64Le salt;
  U64Le chain;
  U64Le position;
};

}  // namespace

BenchWorker::BenchWorker(BlockClient& blocks, const BenchLoad& load, BenchSignals& signals,
                         Random& random)
    : blocks_(blocks),
      load_(load),
      signals_(signals),
      random_(random),
      salt_(random.Next()),
      calls_(load.depth),
      stored_(load.working_set),
      tally_(std::make_unique<Tally>()) {}

absl::Status BenchWorker::Prepare() {
  CAIRN_RETURN_IF_ERROR(Run(load_.working_set, /*get_share=*/0));
  if (stored_.size() > 0 || signals_.stopping) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("nothing could be stored: ", ReasonsText(tally_->summary.put_failures),
                   "; `cairn status` shows the nodes, docs/operators.md explains the reasons"));
}

absl::StatusOr<BenchSummary> BenchWorker::Measure(uint64_t calls) {
  tally_ = std::make_unique<Tally>();
  const Instant begun = RealClock().Now();
  CAIRN_RETURN_IF_ERROR(Run(calls, load_.get_share));
  tally_->summary.seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
  tally_->summary.get_latency_us = tally_->get_latency_us.Snapshot();
  tally_->summary.put_latency_us = tally_->put_latency_us.Snapshot();
  return tally_->summary;
}

absl::Status BenchWorker::Run(uint64_t calls, double get_share) {
  uint64_t begun = 0;
  while (in_flight_ > 0 || (begun < calls && !signals_.stopping)) {
    CAIRN_ASSIGN_OR_RETURN(const uint64_t more, BeginCalls(calls - begun, get_share));
    begun += more;
    Completion completions[kCollectBatch];
    const size_t count = blocks_.Collect(absl::MakeSpan(completions));
    const Instant now = RealClock().Now();
    for (size_t i = 0; i < count; ++i) Take(completions[i], now);
    signals_.completed_blocks += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> BenchWorker::BeginCalls(uint64_t calls, double get_share) {
  uint64_t begun = 0;
  for (size_t i = 0; i < calls_.size() && begun < calls && !signals_.stopping; ++i) {
    if (calls_[i].left > 0) continue;
    const bool is_get = gets_due_ + get_share >= 1 && stored_.size() > 0;
    const absl::Status status = Begin(i, !is_get);
    if (absl::IsResourceExhausted(status)) break;
    CAIRN_RETURN_IF_ERROR(status);
    gets_due_ += get_share - (is_get ? 1 : 0);
    ++begun;
  }
  return begun;
}

absl::Status BenchWorker::Begin(size_t index, bool is_put) {
  Call& call = calls_[index];
  call.is_put = is_put;
  call.chain = is_put ? next_chain_ : stored_.Pick(random_);
  call.failed = 0;
  MakeKeys(call);
  transfers_.clear();
  for (size_t i = 0; i < load_.batch; ++i) {
    const size_t slot = index * load_.batch + i;
    const absl::Span<std::byte> bytes = blocks_.Slot(slot);
    if (is_put) {
      FillPayload(call.keys[i], bytes);
    } else {
      std::memset(bytes.data(), 0, bytes.size());
    }
    transfers_.push_back(blocks_.MakeTransfer(call.keys, i, slot));
  }
  call.begun = RealClock().Now();
  call.deadline = blocks_.DeadlineFromNow();
  CAIRN_RETURN_IF_ERROR(is_put ? blocks_.client().Put(transfers_, PutHints{}, call.deadline)
                               : blocks_.client().Get(transfers_, LeaseId::kNone, call.deadline));
  next_chain_ += is_put ? 1 : 0;
  call.left = load_.batch;
  ++in_flight_;
  return absl::OkStatus();
}

void BenchWorker::MakeKeys(Call& call) const {
  call.keys.clear();
  for (size_t i = 0; i < load_.batch; ++i) {
    const ChainHash hash{salt_, call.chain, i};
    call.keys.push_back(
        blocks_.client().MakeKey({reinterpret_cast<const std::byte*>(&hash), sizeof(hash)}));
  }
}

void BenchWorker::Take(const Completion& completion, Instant now) {
  Call& call = calls_[completion.tag / load_.batch];
  if (blocks_.WasLate(call.deadline)) ++tally_->summary.late_answers;
  TakeBlock(call, completion, static_cast<uint64_t>(absl::ToInt64Microseconds(now - call.begun)));
  const bool good = completion.code == absl::StatusCode::kOk;
  call.failed += good ? 0 : 1;
  signals_.moved_blocks += good ? 1 : 0;
  if (--call.left > 0) return;
  --in_flight_;
  if (call.is_put && call.failed == 0) stored_.Add(call.chain);
}

void BenchWorker::TakeBlock(const Call& call, const Completion& completion, uint64_t latency_us) {
  BenchSummary& summary = tally_->summary;
  if (completion.code != absl::StatusCode::kOk) {
    ++CountOf(call.is_put ? summary.put_failures : summary.misses, completion.reason);
  } else if (call.is_put) {
    ++summary.put_blocks;
    tally_->put_latency_us.Record(latency_us);
  } else {
    ++summary.got_blocks;
    tally_->get_latency_us.Record(latency_us);
    summary.wrong_bytes +=
        CountWrongBytes(call.keys[completion.tag % load_.batch], blocks_.Slot(completion.tag));
  }
}

}  // namespace cairn
