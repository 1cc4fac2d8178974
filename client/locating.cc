// Asks a coordinator where transfers go whose place the location cache does not know.
#include <algorithm>
#include <utility>

#include "client/client_impl.h"

namespace cairn {

absl::Duration ClientImpl::LocateTimeout(Instant deadline) const {
  // Half of what is left: the other half is for the node, should the coordinator be stuck.
  const absl::Duration left = deadline - options_.fence_margin - now_;
  return std::max(left / 2, absl::Microseconds(100));
}

void ClientImpl::LocateGets(uint32_t batch, const std::vector<uint32_t>& operations) {
  Locating locating;
  locating.deadline = batches_[batch]->deadline;
  std::string& keys = *locating.request.mutable_keys();
  for (const uint32_t index : operations) {
    const Operation& operation = operations_[index];
    keys.append(reinterpret_cast<const char*>(operation.key.bytes.data()), sizeof(BlockKey));
    locating.gets.emplace_back(index, operation.serial);
  }
  Ask(std::move(locating));
}

// Whether somebody asks for its run already. A put must wait for that answer, too, for it may not
// overtake its parent.
bool ClientImpl::JoinPlacing(uint32_t operation) {
  const auto run = placing_.find(operations_[operation].run_key);
  if (run == placing_.end()) return false;
  run->second.emplace_back(operation, operations_[operation].serial);
  return true;
}

// One question per run: its head decides where all of it lives.
void ClientImpl::AskForRun(uint32_t index) {
  const Operation& operation = operations_[index];
  placing_[operation.run_key].emplace_back(index, operation.serial);
  Locating locating;
  locating.kind = Kind::kPut;
  locating.run_key = operation.run_key;
  locating.deadline = batches_[operation.batch]->deadline;
  locating.request.set_first_position(RunStart(operation.position));
  locating.request.set_keys(operation.run_key.bytes.data(), sizeof(BlockKey));
  Ask(std::move(locating));
}

void ClientImpl::Ask(Locating locating) {
  if (!session_->open()) {
    pending_.push_back(std::move(locating));
    return;
  }
  ++statistics_.locates;
  v1::LocateRequest request = locating.request;
  request.set_namespace_id(ns_.bytes.data(), ns_.bytes.size());
  const absl::Duration timeout = LocateTimeout(locating.deadline);
  session_->Locate(
      std::move(request), timeout,
      [this, locating = std::move(locating)](const absl::StatusOr<v1::LocateReply>& reply) {
        TakePlaces(locating, reply);
      });
}

// What was submitted before there was a session.
void ClientImpl::AskPending() {
  if (pending_.empty() || (!session_->open() && !session_->failing())) return;
  std::vector<Locating> waiting;
  waiting.swap(pending_);
  for (Locating& locating : waiting) {
    const Waiting& all = locating.kind == Kind::kGet ? locating.gets : placing_[locating.run_key];
    if (std::none_of(all.begin(), all.end(),
                     [this](const auto& operation) { return Awaits(operation); })) {
      TakeWaiting(locating);
    } else if (session_->open()) {
      Ask(std::move(locating));
    } else {
      FailLocating(locating, wire::MissReason::kNoCoordinator);
    }
  }
}

// It may have met its deadline meanwhile, and its record may be another's.
bool ClientImpl::Awaits(const std::pair<uint32_t, uint64_t>& operation) const {
  const Operation& record = operations_[operation.first];
  return record.stage == Stage::kLocating && record.serial == operation.second;
}

ClientImpl::Waiting ClientImpl::TakeWaiting(const Locating& locating) {
  if (locating.kind == Kind::kGet) return locating.gets;
  return std::move(placing_.extract(locating.run_key).mapped());
}

void ClientImpl::FailLocating(const Locating& locating, wire::MissReason reason) {
  for (const auto& operation : TakeWaiting(locating)) {
    if (Awaits(operation)) Complete(operation.first, reason);
  }
}

void ClientImpl::TakePlaces(const Locating& locating,
                            const absl::StatusOr<v1::LocateReply>& reply) {
  if (absl::IsDeadlineExceeded(reply.status())) return AskAgain(locating);
  if (!reply.ok()) return FailLocating(locating, wire::MissReason::kNoCoordinator);
  const std::vector<LinkIndex> available =
      Places(reply->available(), *reply, locating.request.keys().size() / sizeof(BlockKey));
  if (locating.kind == Kind::kGet) return PlaceGets(locating, available);
  const LinkIndex place =
      available[0] != kNone ? available[0] : Places(reply->placement(), *reply, 1)[0];
  PlacePuts(locating, place);
}

// The time of whoever asked is over. Those that joined may have more.
void ClientImpl::AskAgain(const Locating& locating) {
  for (const auto& operation : TakeWaiting(locating)) {
    if (!Awaits(operation)) continue;
    const uint32_t index = operation.first;
    if (batches_[operations_[index].batch]->deadline <= locating.deadline) {
      Complete(index, wire::MissReason::kNoCoordinator);
    } else if (!JoinPlacing(index)) {
      AskForRun(index);
    }
  }
}

void ClientImpl::PlaceGets(const Locating& locating, const std::vector<LinkIndex>& places) {
  for (size_t i = 0; i < locating.gets.size(); ++i) {
    if (!Awaits(locating.gets[i])) continue;
    const uint32_t index = locating.gets[i].first;
    if (places[i] == kNone) {
      Complete(index, wire::MissReason::kAbsent);
      continue;
    }
    locations_.Learn(operations_[index].key, places[i]);
    Enqueue(index, places[i]);
  }
}

void ClientImpl::PlacePuts(const Locating& locating, LinkIndex place) {
  if (place == kNone) return FailLocating(locating, wire::MissReason::kNoNode);
  for (const auto& operation : TakeWaiting(locating)) {
    if (!Awaits(operation)) continue;
    locations_.Learn(operations_[operation.first].run_key, place);
    Enqueue(operation.first, place);
  }
}

// The link of each of `count` keys, kNone where the runs do not tell.
std::vector<LinkIndex> ClientImpl::Places(const Runs& runs, const v1::LocateReply& reply,
                                          size_t count) {
  std::vector<LinkIndex> places(count, kNone);
  for (const v1::LocateReply::Run& run : runs) {
    if (run.node() >= static_cast<uint32_t>(reply.nodes_size())) continue;
    const LinkIndex link = FindOrAddLink(reply.nodes(static_cast<int>(run.node())), run.reactor());
    const uint64_t end = std::min<uint64_t>(uint64_t{run.first_index()} + run.count(), count);
    for (uint64_t i = run.first_index(); i < end; ++i) places[i] = link;
  }
  return places;
}

}  // namespace cairn
