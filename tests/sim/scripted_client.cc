#include "tests/sim/scripted_client.h"

#include <array>

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn::sim {
namespace {

// No promise is awaited longer than this.
constexpr absl::Duration kPatience = absl::Minutes(2);

}  // namespace

ScriptedClient::ScriptedClient(Cluster& cluster, size_t tenant)
    : cluster_(cluster),
      host_(cluster.AddGuest()),
      runtime_(host_.runtime()),
      tenant_(cluster.tenant(tenant).id),
      block_bytes_(cluster.ns(0).block_bytes()),
      memory_(kSlots * block_bytes_) {
  for (size_t i = 0; i < kSlots; ++i) {
    extents_.push_back({.base_bytes = i * block_bytes_, .size_bytes = block_bytes_});
  }
  client_ = *Client::Start(cluster.MakeClientOptions(tenant), cluster.ns(0), runtime_);
  region_ = *client_->Register(absl::MakeSpan(memory_));
  host_.Run([this] { return client_ == nullptr ? 0 : Step(); });
  CAIRN_CHECK(cluster_.scheduler().RunUntilTrue([this] { return client_->ready(); }, kPatience));
}

ScriptedClient::~ScriptedClient() {
  region_.reset();
  client_.reset();
  if (host_.alive()) host_.Crash(SimCrash::kProcess);
}

void ScriptedClient::Crash() {
  host_.Crash(SimCrash::kProcess);
  region_.reset();
  client_.reset();
}

size_t ScriptedClient::Step() {
  std::array<Completion, 32> completions;
  const size_t count = client_->Poll(absl::MakeSpan(completions));
  for (size_t i = 0; i < count; ++i) {
    const bool first =
        answers_
            .emplace(completions[i].tag, Answer{completions[i], host_.clock().Now() - submitted_})
            .second;
    CAIRN_CHECK(first);
  }
  return count;
}

std::vector<BlockKey> ScriptedClient::Keys(uint64_t conversation, size_t length) const {
  std::vector<BlockKey> keys;
  for (const BlockHash& hash : MakeChain(conversation, length)) {
    keys.push_back(client_->MakeKey(hash));
  }
  return keys;
}

std::vector<Transfer> ScriptedClient::MakeBatch(const std::vector<BlockKey>& keys) {
  std::vector<Transfer> batch;
  for (size_t i = 0; i < keys.size(); ++i) {
    batch.push_back({.key = keys[i],
                     .region = region_.get(),
                     .extents = absl::MakeConstSpan(extents_).subspan(i, 1),
                     .tag = ++last_tag_,
                     .parent = i == 0 ? BlockKey{} : keys[i - 1],
                     .position = static_cast<uint32_t>(i),
                     .run_key = keys[RunStart(static_cast<uint32_t>(i))]});
    waiting_.push_back(last_tag_);
  }
  submitted_ = host_.clock().Now();
  return batch;
}

std::vector<Answer> ScriptedClient::Put(const std::vector<BlockKey>& keys, absl::Duration timeout) {
  for (size_t i = 0; i < keys.size(); ++i) Payload(tenant_, keys[i]).Fill(0, slot(i));
  const std::vector<Transfer> batch = MakeBatch(keys);
  CAIRN_CHECK(client_->Put(batch, {}, host_.clock().Now() + timeout).ok());
  return Wait();
}

void ScriptedClient::StartGet(const std::vector<BlockKey>& keys, LeaseId lease,
                              absl::Duration timeout) {
  const std::vector<Transfer> batch = MakeBatch(keys);
  CAIRN_CHECK(client_->Get(batch, lease, host_.clock().Now() + timeout).ok());
}

std::vector<Answer> ScriptedClient::Get(const std::vector<BlockKey>& keys, LeaseId lease,
                                        absl::Duration timeout) {
  StartGet(keys, lease, timeout);
  return Wait();
}

Answer ScriptedClient::Match(const std::vector<BlockKey>& keys, absl::Duration timeout) {
  waiting_.push_back(++last_tag_);
  submitted_ = host_.clock().Now();
  CAIRN_CHECK(client_->Match(keys, last_tag_, submitted_ + timeout).ok());
  return Wait()[0];
}

std::vector<Answer> ScriptedClient::Wait() {
  CAIRN_CHECK(cluster_.scheduler().RunUntilTrue(
      [this] { return answers_.size() == waiting_.size(); }, kPatience));
  std::vector<Answer> result;
  result.reserve(waiting_.size());
  for (uint64_t tag : waiting_) result.push_back(answers_.at(tag));
  waiting_.clear();
  answers_.clear();
  return result;
}

bool ScriptedClient::Holds(size_t slot, const BlockKey& key) const {
  return Payload(tenant_, key)
      .Fits(0, absl::MakeConstSpan(memory_).subspan(slot * block_bytes_, block_bytes_));
}

}  // namespace cairn::sim
