// Asks a coordinator where transfers go whose place the location cache does not know.
#include <algorithm>
#include <map>

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
    locating.operations.emplace_back(index, operation.serial);
  }
  Ask(std::move(locating));
}

// One question per run: its head decides where all of it lives.
void ClientImpl::LocatePuts(uint32_t batch, const std::vector<uint32_t>& operations) {
  std::map<BlockKey, Locating> runs;
  for (const uint32_t index : operations) {
    const Operation& operation = operations_[index];
    Locating& run = runs[operation.run_key];
    if (run.operations.empty()) {
      run.kind = Kind::kPut;
      run.deadline = batches_[batch]->deadline;
      run.request.set_first_position(RunStart(operation.position));
      run.request.set_keys(operation.run_key.bytes.data(), sizeof(BlockKey));
    }
    run.operations.emplace_back(index, operation.serial);
  }
  for (auto& [key, run] : runs) Ask(std::move(run));
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
    if (std::none_of(locating.operations.begin(), locating.operations.end(),
                     [this](const auto& operation) { return Awaits(operation); })) {
      continue;
    }
    if (session_->open()) {
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

void ClientImpl::FailLocating(const Locating& locating, wire::MissReason reason) {
  for (const auto& operation : locating.operations) {
    if (Awaits(operation)) Complete(operation.first, reason);
  }
}

void ClientImpl::TakePlaces(const Locating& locating,
                            const absl::StatusOr<v1::LocateReply>& reply) {
  if (!reply.ok()) return FailLocating(locating, wire::MissReason::kNoCoordinator);
  const std::vector<LinkIndex> available =
      Places(reply->available(), *reply, locating.request.keys().size() / sizeof(BlockKey));
  if (locating.kind == Kind::kGet) return PlaceGets(locating, available);
  const LinkIndex place =
      available[0] != kNone ? available[0] : Places(reply->placement(), *reply, 1)[0];
  PlacePuts(locating, place);
}

void ClientImpl::PlaceGets(const Locating& locating, const std::vector<LinkIndex>& places) {
  for (size_t i = 0; i < locating.operations.size(); ++i) {
    if (!Awaits(locating.operations[i])) continue;
    const uint32_t index = locating.operations[i].first;
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
  for (const auto& operation : locating.operations) {
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
