#include "bench/rig.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "proto/little_endian.h"
#include "transport/real_network.h"

namespace cairn::bench {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(10);
constexpr absl::Duration kSpin = absl::Microseconds(500);  // as an engine that waits for its blocks
constexpr int kSleep_ms = 10;
constexpr size_t kPutsBeside = 4;
constexpr uint64_t kGetTag = 0;
constexpr uint64_t kPutTag = 1;

}  // namespace

absl::StatusOr<std::unique_ptr<Rig>> Rig::Start(const RigOptions& options) {
  auto rig = std::unique_ptr<Rig>(new Rig(options));
  CAIRN_RETURN_IF_ERROR(rig->Build());
  return rig;
}

absl::Status Rig::Build() {
  ns_.set_model("bench");
  ns_.set_model_digest(std::string(32, 'b'));
  ns_.set_kv_dtype("bf16");
  ns_.set_layout("opaque");
  ns_.set_layers(1);
  ns_.set_kv_heads(1);
  ns_.set_head_size(1);
  ns_.set_tokens_per_block(16);
  ns_.set_hash_scheme("bench");
  ns_.set_block_bytes(options_.block_bytes);
  CAIRN_ASSIGN_OR_RETURN(network_, CreateRealNetwork({}));
  LocalClusterOptions cluster;
  cluster.nodes = 1;
  cluster.dram_bytes_per_node = options_.dram_bytes;
  cluster.nvme_bytes_per_node = options_.nvme_bytes;
  cluster.program = CAIRN_PROGRAM;
  if (!options_.telemetry) cluster.node_arguments = {"--record-latencies", "false"};
  CAIRN_ASSIGN_OR_RETURN(cluster_, LocalCluster::Start(cluster, *network_));
  CAIRN_ASSIGN_OR_RETURN(tenant_, ReadTenantFile(cluster_->tenant_file(), RealDisk()));
  ClientOptions options;
  options.coordinators = {cluster_->coordinator()};
  options.tenant = tenant_.name;
  options.secret = tenant_.secret;
  options.telemetry = options_.telemetry;
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network_};
  CAIRN_ASSIGN_OR_RETURN(client_, Client::Connect(options, ns_, runtime));
  memory_.resize(uint64_t{options_.blocks} * options_.block_bytes);
  for (size_t i = 0; i < memory_.size(); ++i) memory_[i] = static_cast<std::byte>(i * 131 >> 7);
  CAIRN_ASSIGN_OR_RETURN(region_, client_->Register(absl::MakeSpan(memory_)));
  extents_.resize(options_.blocks);
  for (uint32_t i = 0; i < options_.blocks; ++i) {
    extents_[i] = {uint64_t{i} * options_.block_bytes, 0, 1, options_.block_bytes};
  }
  return absl::OkStatus();
}

BlockKey Rig::KeyOf(uint64_t number) const {
  const U64Le encoded = number;
  return client_->MakeKey({reinterpret_cast<const std::byte*>(&encoded), sizeof(encoded)});
}

absl::Status Rig::Submit(bool put, uint64_t number, size_t count) {
  transfers_.clear();
  for (size_t i = 0; i < count; ++i) {
    Transfer transfer;
    transfer.position = static_cast<uint32_t>(number + i);
    transfer.key = KeyOf(number + i);
    transfer.tag = put ? kPutTag : kGetTag;
    transfer.run_key = KeyOf(RunStart(transfer.position));
    if (transfer.position > 0) transfer.parent = KeyOf(number + i - 1);
    transfer.region = region_.get();
    transfer.extents = {&extents_[(number + i) % options_.blocks], 1};
    transfers_.push_back(transfer);
  }
  const Instant deadline = RealClock().Now() + kDeadline;
  return put ? client_->Put(transfers_, PutHints{}, deadline)
             : client_->Get(transfers_, LeaseId::kNone, deadline);
}

absl::StatusOr<size_t> Rig::Collect() {
  std::array<Completion, 64> completions;
  const Instant begun = RealClock().Now();
  for (;;) {
    const size_t count = client_->Poll(absl::MakeSpan(completions));
    for (size_t i = 0; i < count; ++i) {
      if (completions[i].code == absl::StatusCode::kOk) continue;
      return absl::InternalError(
          absl::StrCat("a block failed: ", wire::MissReasonName(completions[i].reason)));
    }
    if (count > 0) return count;
    if (RealClock().Now() - begun < kSpin || !client_->PrepareToSleep()) continue;
    pollfd waiting{client_->event_fd(), POLLIN, 0};
    poll(&waiting, 1, kSleep_ms);
  }
}

absl::StatusOr<double> Rig::Run(bool put, uint64_t first, size_t count, size_t batch,
                                size_t depth) {
  const Instant begun = RealClock().Now();
  size_t submitted = 0;
  size_t completed = 0;
  while (completed < count) {
    while (submitted < count && submitted + batch <= completed + batch * depth) {
      const size_t now = std::min(batch, count - submitted);
      const uint64_t number = put ? first + submitted : submitted % options_.blocks;
      CAIRN_RETURN_IF_ERROR(Submit(put, number, now));
      submitted += now;
    }
    CAIRN_ASSIGN_OR_RETURN(const size_t collected, Collect());
    completed += collected;
  }
  const double seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
  return static_cast<double>(count) * options_.block_bytes / seconds / 1e9;
}

absl::StatusOr<double> Rig::Put(uint64_t first, size_t count, size_t batch, size_t depth) {
  return Run(true, first, count, batch, depth);
}

absl::StatusOr<double> Rig::Get(size_t count, size_t batch, size_t depth) {
  return Run(false, 0, count, batch, depth);
}

absl::StatusOr<double> Rig::GetLatency(size_t count) {
  std::vector<double> samples;
  for (size_t i = 0; i < count; ++i) {
    const Instant begun = RealClock().Now();
    CAIRN_RETURN_IF_ERROR(Submit(false, i % options_.blocks, 1));
    CAIRN_RETURN_IF_ERROR(Collect().status());
    samples.push_back(absl::ToDoubleMicroseconds(RealClock().Now() - begun));
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count / 2),
                   samples.end());
  return samples[count / 2];
}

// Until the one get is answered. Keeps puts under way meanwhile.
absl::Status Rig::AwaitGet(uint64_t* next, size_t* puts) {
  std::array<Completion, 64> completions;
  for (;;) {
    const size_t count = client_->Poll(absl::MakeSpan(completions));
    bool answered = false;
    for (size_t i = 0; i < count; ++i) {
      if (completions[i].tag == kPutTag) {
        --*puts;
        continue;
      }
      answered = true;
      if (completions[i].code == absl::StatusCode::kOk) continue;
      return absl::InternalError(
          absl::StrCat("a hot block is lost: ", wire::MissReasonName(completions[i].reason)));
    }
    if (answered) return absl::OkStatus();
    for (; *puts < kPutsBeside; ++*puts) CAIRN_RETURN_IF_ERROR(Submit(true, (*next)++, 1));
  }
}

absl::StatusOr<double> Rig::GetTailUnderPuts(size_t count, size_t hot, uint64_t* next) {
  std::vector<double> samples;
  size_t puts = 0;
  for (size_t i = 0; i < count; ++i) {
    const Instant begun = RealClock().Now();
    CAIRN_RETURN_IF_ERROR(Submit(false, i % hot, 1));
    CAIRN_RETURN_IF_ERROR(AwaitGet(next, &puts));
    samples.push_back(absl::ToDoubleMicroseconds(RealClock().Now() - begun));
  }
  std::array<Completion, 64> completions;
  while (puts > 0) puts -= client_->Poll(absl::MakeSpan(completions));
  const auto tail = samples.begin() + static_cast<std::ptrdiff_t>(count * 99 / 100);
  std::nth_element(samples.begin(), tail, samples.end());
  return *tail;
}

}  // namespace cairn::bench
