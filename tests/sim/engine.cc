#include "tests/sim/engine.h"

#include <array>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/hex.h"

namespace cairn::sim {
namespace {

constexpr size_t kRequestsMax = 3;
constexpr size_t kBatchMax = 16;
constexpr size_t kProbeBlocks = 3;
constexpr uint64_t kProbeChains = uint64_t{1} << 40;  // conversations from here on are probes
// A step later than this after the one before means that the process did not run meanwhile.
constexpr absl::Duration kPause = absl::Milliseconds(5);
// P2: the client fences before the deadline and the lane closes in 2 ms; then one step must come.
constexpr absl::Duration kFenceBound = absl::Milliseconds(10);
constexpr absl::Duration kThinkTimeMax = absl::Milliseconds(100);

}  // namespace

Engine::Engine(SimHost& host, const EngineOptions& options, Ledger& ledger, Verdict& verdict)
    : host_(host),
      options_(options),
      ledger_(ledger),
      verdict_(verdict),
      random_(options.seed),
      memory_(options.slot_count, options.ns.block_bytes()),
      namespace_(*MakeNamespaceId(options.ns)),
      foreign_keys_(options.foreign_secret, namespace_),
      runtime_(host.runtime()),
      probe_chain_(kProbeChains + (options.seed << 8)) {}

void Engine::Start() {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Start(options_.client, options_.ns, runtime_);
  if (!client.ok())
    return Fail(absl::StrCat("client does not start: ", client.status().ToString()));
  client_ = *std::move(client);
  absl::StatusOr<std::unique_ptr<MemoryRegion>> region = client_->Register(memory_.bytes());
  CAIRN_CHECK(region.ok());
  region_ = *std::move(region);
  last_step_ = resumed_at_ = next_request_ = Now();
  if (std::exchange(runs_in_boot_, host_.boots()) == host_.boots()) return;
  host_.Run([this] { return client_ == nullptr ? 0 : Step(); });
}

void Engine::Crash(SimCrash how) {
  host_.Crash(how);
  Shutdown();
}

void Engine::Shutdown() {
  region_.reset();
  client_.reset();
  ops_.clear();
  requests_.clear();
  memory_.ReleaseAll();
}

void Engine::BeginProbe() { probing_ = true; }

void Engine::Fail(const std::string& what) { verdict_.Fail(absl::StrCat(host_.ip(), ": ", what)); }

Instant Engine::DeadlineIn(absl::Duration least, absl::Duration most) {
  const auto span_us = static_cast<uint64_t>(absl::ToInt64Microseconds(most - least));
  return Now() + least + absl::Microseconds(static_cast<int64_t>(random_.Below(span_us + 1)));
}

size_t Engine::Step() {
  NoteTime();
  std::array<Completion, 32> completions;
  const size_t count = client_->Poll(absl::MakeSpan(completions));
  for (size_t i = 0; i < count; ++i) OnCompletion(completions[i]);
  CheckOverdue();
  if (requests_.size() < kRequestsMax && Now() >= next_request_ && !probed_) BeginRequest();
  return count;
}

void Engine::NoteTime() {
  const Instant now = Now();
  if (now - last_step_ > kPause) resumed_at_ = now;
  last_step_ = now;
}

void Engine::CheckDeadline(const Op& op, Instant now) {
  if (now > op.deadline + kFenceBound && now > resumed_at_ + kFenceBound) {
    Fail(absl::StrCat("P2: an operation of kind ", static_cast<int>(op.kind), " is ",
                      absl::FormatDuration(now - op.deadline), " past its deadline"));
  }
}

void Engine::CheckOverdue() {
  for (const auto& [tag, op] : ops_) CheckDeadline(op, Now());
}

Engine::Request Engine::NewRequest() {
  Request request;
  request.probe = probing_;
  request.foreign = !probing_ && Chance(15);
  request.writes = probing_ || Chance(request.foreign ? 30 : 85);
  request.keeps_lease = Chance(10);
  request.early_release = Chance(10);
  const uint64_t conversation = probing_ ? probe_chain_ : random_.Below(kConversations);
  const size_t length = probing_ ? kProbeBlocks : 1 + random_.Below(options_.chain_blocks_max);
  for (const BlockHash& hash : MakeChain(conversation, length)) {
    request.keys.push_back(request.foreign ? foreign_keys_.Make(hash) : client_->MakeKey(hash));
  }
  request.blocks.assign(length, BlockState::kUnread);
  return request;
}

void Engine::BeginRequest() {
  next_request_ = DeadlineIn(absl::ZeroDuration(), kThinkTimeMax);
  const uint64_t id = ++last_id_;
  Request& request = requests_[id] = NewRequest();
  if (!request.probe && Chance(15)) {
    request.read_end = request.keys.size();
    return Advance(id);
  }
  SubmitMatch(id, request);
}

void Engine::SubmitMatch(uint64_t id, Request& request) {
  const uint64_t tag = ++last_id_;
  const Instant deadline = DeadlineIn(absl::Milliseconds(2), absl::Milliseconds(200));
  const absl::Status status = client_->Match(request.keys, tag, deadline);
  if (!status.ok()) {
    Submitted(status, {});
    requests_.erase(id);
    return;
  }
  ++verdict_.tally.matches;
  verdict_.tally.foreign += request.foreign;
  ops_[tag] = {.kind = OpKind::kMatch, .request = id, .deadline = deadline};
  ++request.outstanding;
}

void Engine::Advance(uint64_t id) {
  Request& request = requests_.at(id);
  const size_t submitted = SubmitReads(id, request) + SubmitWrites(id, request);
  if (submitted == 0 && request.outstanding == 0) EndRequest(id, request);
}

Transfer Engine::MakeTransfer(const Request& request, size_t position, SlotIndex slot,
                              uint64_t tag) {
  return {.key = request.keys[position],
          .region = region_.get(),
          .extents = memory_.extents(slot),
          .tag = tag,
          .parent = position == 0 ? BlockKey{} : request.keys[position - 1],
          .position = static_cast<uint32_t>(position),
          .run_key = request.keys[RunStart(static_cast<uint32_t>(position))]};
}

bool Engine::Submitted(const absl::Status& status, const std::vector<Transfer>& batch) {
  if (status.ok()) return true;
  for (const Transfer& transfer : batch) {
    memory_.Release(ops_.at(transfer.tag).slot);
    ops_.erase(transfer.tag);
  }
  ++verdict_.tally.refused;
  if (!absl::IsResourceExhausted(status)) {
    Fail(absl::StrCat("a well-formed operation is refused: ", status.ToString()));
  }
  return false;
}

size_t Engine::SubmitReads(uint64_t id, Request& request) {
  std::vector<Transfer> batch;
  std::vector<size_t> positions;
  const Instant deadline = DeadlineIn(absl::Milliseconds(1), absl::Milliseconds(400));
  for (size_t i = 0; i < request.read_end && batch.size() < kBatchMax; ++i) {
    if (request.blocks[i] != BlockState::kUnread) continue;
    const std::optional<SlotIndex> slot = memory_.Acquire(/*receives=*/true, random_);
    if (!slot.has_value()) break;
    const uint64_t tag = ++last_id_;
    ops_[tag] = {OpKind::kGet, id, i, *slot, deadline};
    batch.push_back(MakeTransfer(request, i, *slot, tag));
    positions.push_back(i);
  }
  if (batch.empty()) return 0;
  const bool queued = Submitted(client_->Get(batch, request.lease, deadline), batch);
  for (size_t i : positions) {
    request.blocks[i] = queued ? BlockState::kReading : BlockState::kMissed;
  }
  if (!queued) return 0;
  if (request.early_release) client_->Release(std::exchange(request.lease, LeaseId::kNone));
  request.outstanding += batch.size();
  verdict_.tally.gets += batch.size();
  return batch.size();
}

size_t Engine::SubmitWrites(uint64_t id, Request& request) {
  for (size_t i = 0; i < request.read_end; ++i) {
    const BlockState state = request.blocks[i];
    if (state == BlockState::kUnread || state == BlockState::kReading) return 0;
  }
  std::vector<Transfer> batch;
  std::vector<size_t> positions;
  const Instant deadline = DeadlineIn(absl::Milliseconds(10), absl::Milliseconds(800));
  for (size_t i = 0; i < request.keys.size() && batch.size() < kBatchMax; ++i) {
    const BlockState state = request.blocks[i];
    if (!request.writes || (state != BlockState::kUnread && state != BlockState::kMissed)) continue;
    const std::optional<SlotIndex> slot = memory_.Acquire(/*receives=*/false, random_);
    if (!slot.has_value()) break;
    memory_.Fill(*slot, Payload(options_.tenant, request.keys[i]));
    ledger_.Offered(options_.tenant, request.keys[i], {namespace_, options_.ns.block_bytes()});
    const uint64_t tag = ++last_id_;
    ops_[tag] = {OpKind::kPut, id, i, *slot, deadline};
    batch.push_back(MakeTransfer(request, i, *slot, tag));
    positions.push_back(i);
  }
  if (batch.empty()) return 0;
  const PutHints hints = {.will_return = Chance(20), .one_off = Chance(20)};
  const bool queued = Submitted(client_->Put(batch, hints, deadline), batch);
  for (size_t i : positions) {
    request.blocks[i] = queued ? BlockState::kWriting : BlockState::kRefused;
  }
  if (!queued) return 0;
  request.outstanding += batch.size();
  verdict_.tally.puts += batch.size();
  return batch.size();
}

void Engine::EndRequest(uint64_t id, Request& request) {
  if (request.lease != LeaseId::kNone && !request.keeps_lease) client_->Release(request.lease);
  if (request.probe) EndProbe(request);
  requests_.erase(id);
}

void Engine::EndProbe(const Request& request) {
  size_t hits = 0;
  size_t stored = 0;
  for (BlockState state : request.blocks) {
    hits += state == BlockState::kHit;
    stored += state == BlockState::kStored;
  }
  if (hits == request.blocks.size()) {
    probed_ = true;
  } else if (stored + hits < request.blocks.size()) {
    ++probe_chain_;
  }
}

void Engine::OnCompletion(const Completion& completion) {
  auto found = ops_.find(completion.tag);
  if (found == ops_.end()) {
    return Fail(absl::StrCat("a completion for tag ", completion.tag, ", which is not in flight"));
  }
  const Op op = found->second;
  ops_.erase(found);
  CheckDeadline(op, Now());
  Request& request = requests_.at(op.request);
  --request.outstanding;
  CheckReason(completion, request);
  switch (op.kind) {
    case OpKind::kMatch:
      OnMatch(completion, request);
      break;
    case OpKind::kGet:
      OnGet(completion, op, request);
      break;
    case OpKind::kPut:
      OnPut(completion, op, request);
      break;
  }
  Advance(op.request);
}

void Engine::CheckReason(const Completion& completion, const Request& request) {
  const bool ok = completion.code == absl::StatusCode::kOk;
  if (!ok && completion.reason == wire::MissReason::kNone) {
    Fail(absl::StrCat("P3: code ", static_cast<int>(completion.code), " without a reason"));
  }
  // These would tell that another tenant's block exists.
  if (request.foreign && (completion.reason == wire::MissReason::kNamespace ||
                          completion.reason == wire::MissReason::kConflict)) {
    Fail(absl::StrCat("P5: a foreign key is told \"", wire::MissReasonName(completion.reason),
                      "\""));
  }
}

void Engine::OnMatch(const Completion& completion, Request& request) {
  if (completion.code != absl::StatusCode::kOk) return;
  if (completion.blocks > request.keys.size()) return Fail("Match holds more than was asked for");
  if ((completion.blocks > 0) != (completion.lease != LeaseId::kNone)) {
    Fail("Match: blocks without a lease, or a lease without blocks");
  }
  if (completion.blocks == 0 && completion.reason == wire::MissReason::kNone) {
    Fail("P3: Match finds nothing and does not say why");
  }
  for (size_t i = 0; i < completion.blocks; ++i) {
    if (ledger_.Find(options_.tenant, request.keys[i]) == nullptr) {
      Fail(absl::StrCat("P5: Match holds ", HexEncode(request.keys[i].bytes),
                        ", which this tenant never stored"));
    }
  }
  verdict_.tally.matched_blocks += completion.blocks;
  request.lease = completion.lease;
  request.read_end = completion.blocks;
}

void Engine::OnGet(const Completion& completion, const Op& op, Request& request) {
  const BlockKey& key = request.keys[op.position];
  const bool hit = completion.code == absl::StatusCode::kOk;
  if (hit && ledger_.Find(options_.tenant, key) == nullptr) {
    Fail(absl::StrCat("P5: a hit on ", HexEncode(key.bytes), ", which this tenant never stored"));
  }
  if (hit && !memory_.Holds(op.slot, Payload(options_.tenant, key))) {
    Fail(absl::StrCat("P1: wrong bytes under ", HexEncode(key.bytes)));
  }
  if (!memory_.GapsIntact(op.slot)) Fail("P1: bytes between the extents of a transfer changed");
  memory_.Release(op.slot);
  request.blocks[op.position] = hit ? BlockState::kHit : BlockState::kMissed;
  ++(hit ? verdict_.tally.hits : verdict_.tally.misses);
}

void Engine::OnPut(const Completion& completion, const Op& op, Request& request) {
  const bool stored = completion.code == absl::StatusCode::kOk;
  if (!memory_.Holds(op.slot, Payload(options_.tenant, request.keys[op.position])) ||
      !memory_.GapsIntact(op.slot)) {
    Fail("P6: the source of a put changed");
  }
  if (completion.reason == wire::MissReason::kConflict && options_.honest_network) {
    Fail("P1: a conflict, although each key has one payload");
  }
  memory_.Release(op.slot);
  request.blocks[op.position] = stored ? BlockState::kStored : BlockState::kRefused;
  verdict_.tally.stored += stored;
}

void Engine::CheckLanding(absl::Span<const std::byte> destination) {
  if (!memory_.MayLand(destination)) Fail("P6: bytes land in memory that no transfer owns");
}

void Engine::CheckMemory() {
  if (!memory_.PatternsIntact()) Fail("P6: memory at rest changed");
}

}  // namespace cairn::sim
