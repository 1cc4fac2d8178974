#include "tests/sim/cluster.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/hex.h"
#include "cache/shard.h"
#include "cache/shard_counters.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/block_key.h"
#include "server/registry/sqlite_registry.h"
#include "tests/sim/payload.h"

namespace cairn::sim {
namespace {

constexpr char kControlPort[] = ":7400";
constexpr char kDataPort[] = ":7500";
constexpr char kDrive[] = "nvme";
constexpr uint64_t kSegmentBytes = 1u << 20;
constexpr uint64_t kEngineMemoryBytes = 4u << 20;
constexpr size_t kSlotsMin = 24;
constexpr size_t kSlotsMax = 64;

std::string CoordinatorIp(size_t i) { return absl::StrCat("10.0.1.", i + 1); }
std::string NodeIp(size_t i) { return absl::StrCat("10.0.2.", i + 1); }
std::string EngineIp(size_t i) { return absl::StrCat("10.0.3.", i + 1); }

v1::Namespace MakeNamespace(uint32_t index, uint32_t block_bytes) {
  v1::Namespace ns;
  ns.set_model("simulated");
  ns.set_model_digest(std::string(32, static_cast<char>('a' + index)));
  ns.set_kv_dtype("bf16");
  ns.set_layout("L2NHD");
  ns.set_layers(4);
  ns.set_kv_heads(8);
  ns.set_head_size(128);
  ns.set_tokens_per_block(16);
  ns.set_hash_scheme("vllm.sha256_cbor");
  ns.set_block_bytes(block_bytes);
  return ns;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : options_(options), world_(options.world), verdict_(world_.scheduler()) {
  for (size_t i = 0; i < options_.coordinators; ++i) {
    SimHost& host = world_.AddHost(CoordinatorIp(i));
    coordinators_.push_back({host, host.runtime()});
    coordinator_addresses_.push_back(host.ip() + kControlPort);
  }
  registry_ = *OpenSqliteRegistry(":memory:", coordinators_[0].runtime.random);
  for (uint32_t i = 0; i < 2; ++i) {
    tenants_[i] = *registry_->AddTenant(
        {.name = i == 0 ? "a" : "b", .inflight_bytes_max = 64u << 20, .weight = 100});
    namespaces_[i] = MakeNamespace(i, options_.block_bytes << i);
  }
  for (size_t i = 0; i < options_.nodes; ++i) {
    SimHost& host = world_.AddHost(NodeIp(i));
    nodes_.push_back({host, host.runtime()});
  }
  for (size_t i = 0; i < coordinators_.size(); ++i) CAIRN_CHECK(StartCoordinator(i));
  for (size_t i = 0; i < nodes_.size(); ++i) CAIRN_CHECK(StartNode(i));
  AddEngines();
  world_.set_landing_observer([this](absl::Span<const std::byte> destination) {
    for (auto& engine : engines_) engine->CheckLanding(destination);
  });
}

Cluster::~Cluster() {
  for (auto& engine : engines_) engine->Shutdown();
  nodes_.clear();
  coordinators_.clear();
}

ClientOptions Cluster::MakeClientOptions(size_t tenant) const {
  ClientOptions options;
  options.coordinators = coordinator_addresses_;
  options.tenant = tenants_[tenant].name;
  options.secret = tenants_[tenant].secret;
  return options;
}

void Cluster::AddEngines() {
  for (size_t i = 0; i < options_.engines; ++i) {
    const size_t tenant = i % 2;
    const v1::Namespace& ns = namespaces_[i >= 6 ? 1 : 0];
    EngineOptions engine;
    engine.client = MakeClientOptions(tenant);
    engine.ns = ns;
    engine.tenant = tenants_[tenant].id;
    engine.foreign_secret = tenants_[1 - tenant].secret;
    engine.chain_blocks_max = options_.chain_blocks_max;
    engine.slot_count =
        std::clamp<size_t>(kEngineMemoryBytes / ns.block_bytes() / 2, kSlotsMin, kSlotsMax);
    engine.seed = scheduler().random().Next();
    engine.honest_network = options_.honest_network;
    engines_.push_back(
        std::make_unique<Engine>(world_.AddHost(EngineIp(i)), engine, ledger_, verdict_));
    engines_.back()->Start();
  }
}

SimHost& Cluster::AddGuest() { return world_.AddHost(absl::StrCat("10.0.4.", ++guests_)); }

bool Cluster::StartCoordinator(size_t i) {
  Process<Coordinator>& process = coordinators_[i];
  CoordinatorOptions options;
  options.state_folder = "coordinator";
  auto coordinator = Coordinator::Create(options, *registry_, process.runtime);
  if (!coordinator.ok()) return false;
  process.component = *std::move(coordinator);
  Coordinator* const running = process.component.get();
  CAIRN_CHECK(process.host
                  .Serve(coordinator_addresses_[i],
                         [running](const std::string& method, const std::string& request) {
                           return running->Handle(method, request);
                         })
                  .ok());
  process.host.Run(
      [running] {
        running->Step();
        return 0;
      },
      absl::Milliseconds(100));
  return true;
}

bool Cluster::StartNode(size_t i) {
  Process<Node>& process = nodes_[i];
  NodeOptions options;
  options.coordinators = coordinator_addresses_;
  options.listen_address = process.host.ip() + kDataPort;
  options.state_folder = "node";
  options.capacity_bytes = options_.capacity_bytes * options_.reactors;
  options.reactors = options_.reactors;
  options.huge_pages = false;
  if (options_.nvme_bytes > 0) {
    options.nvme_paths = {kDrive};
    options.nvme_bytes = options_.nvme_bytes * options_.reactors;
    options.nvme_segment_bytes = kSegmentBytes;
  }
  options.chunk_bytes = 64u << 10;
  auto node = Node::Create(options, process.runtime);
  if (!node.ok()) return false;
  process.component = *std::move(node);
  Node* const running = process.component.get();
  for (size_t reactor = 0; reactor < running->reactor_count(); ++reactor) {
    process.host.Run([running, reactor] { return running->PollReactor(reactor); });
  }
  process.host.Run([running] { return running->PollAgent(); });
  return true;
}

SimDevice& Cluster::drive(size_t node, size_t reactor) {
  return nodes_[node].host.storage().device(absl::StrCat(kDrive, "/cairn-", reactor, ".log"));
}

void Cluster::CrashNode(size_t i, SimCrash how) {
  nodes_[i].host.Crash(how);
  nodes_[i].component.reset();
}

void Cluster::CrashCoordinator(size_t i, SimCrash how) {
  coordinators_[i].host.Crash(how);
  coordinators_[i].component.reset();
}

void Cluster::CheckResident(Shard& shard, bool exactly) {
  std::array<InventoryChange, 256> part;
  uint64_t cursor = 0;
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  while (const size_t count = shard.Snapshot(&cursor, absl::MakeSpan(part))) {
    for (size_t i = 0; i < count; ++i) {
      const Ledger::Block* block = ledger_.Find(part[i].tenant, part[i].key);
      if (block == nullptr) {
        verdict_.Fail(absl::StrCat("a node holds ", HexEncode(part[i].key.bytes),
                                   ", which its tenant never stored"));
        continue;
      }
      bytes += block->bytes;
      ++blocks;
      if (exactly) CheckBytes(shard, part[i], *block);
    }
  }
  const ShardCounters& counters = shard.counters();
  if (blocks != counters.blocks.value()) {
    verdict_.Fail(
        absl::StrCat("a node counts ", counters.blocks.value(), " blocks and holds ", blocks));
  }
  // With NVMe some of them are not in the arena.
  if (options_.nvme_bytes > 0) return;
  const uint64_t used = counters.used_bytes.value();
  if (exactly ? used != bytes : used < bytes) {
    verdict_.Fail(absl::StrCat("a node uses ", used, " bytes and holds ", bytes));
  }
}

void Cluster::CheckBytes(Shard& shard, const InventoryChange& change, const Ledger::Block& block) {
  if (options_.arena_rots) return;
  const ScopeId scope = *shard.InternScope(change.tenant, block.ns);
  const BlockRef pinned = shard.Pin(scope, change.key);
  if (pinned == BlockRef::kNone) return verdict_.Fail("a resident block cannot be pinned");
  if (!shard.InDram(pinned)) return shard.Unpin(pinned);
  const BlockInfo info = shard.Info(pinned);
  const bool fits = info.length_bytes == block.bytes &&
                    Payload(change.tenant, change.key)
                        .Fits(0, shard.arena().subspan(info.offset_bytes, info.length_bytes));
  shard.Unpin(pinned);
  if (!fits) verdict_.Fail("P1: a sealed block holds wrong bytes");
}

void Cluster::Check() {
  for (auto& engine : engines_) engine->CheckMemory();
  for (Process<Node>& process : nodes_) {
    if (process.component == nullptr) continue;
    for (size_t i = 0; i < process.component->reactor_count(); ++i) {
      process.component->shard(i).CheckInvariants();
      CheckResident(process.component->shard(i), /*exactly=*/false);
    }
  }
}

void Cluster::CheckIdle() {
  Check();
  for (Process<Node>& process : nodes_) {
    for (size_t i = 0; i < process.component->reactor_count(); ++i) {
      Shard& shard = process.component->shard(i);
      const ShardCounters& counters = shard.counters();
      if (counters.pins.value() != 0 || counters.reservations.value() != 0) {
        verdict_.Fail(absl::StrCat(process.host.ip(), ": ", counters.pins.value(), " pins and ",
                                   counters.reservations.value(),
                                   " reservations without any client"));
      }
      CheckResident(shard, /*exactly=*/true);
    }
  }
  for (Process<Coordinator>& process : coordinators_) CheckIndex(*process.component);
}

void Cluster::CheckIndex(Coordinator& coordinator) {
  v1::GetStatusRequest request;
  request.set_admin_credential(coordinator.admin_credential());
  v1::GetStatusReply reply;
  CAIRN_CHECK(reply.ParseFromString(
      *coordinator.Handle("/cairn.v1.Coordinator/GetStatus", request.SerializeAsString())));
  std::map<std::string, uint64_t> indexed;
  for (const auto& node : reply.nodes()) indexed[node.node_id()] = node.indexed_blocks();
  for (Process<Node>& process : nodes_) {
    const Node& node = *process.component;
    uint64_t blocks = 0;
    for (size_t i = 0; i < node.reactor_count(); ++i) {
      blocks += process.component->shard(i).counters().blocks.value();
    }
    const auto& id = node.id().bytes;
    const std::string name(reinterpret_cast<const char*>(id.data()), id.size());
    if (indexed.count(name) == 0 || indexed[name] != blocks) {
      verdict_.Fail(absl::StrCat("P4: a coordinator knows ", indexed[name], " blocks of ",
                                 process.host.ip(), ", which holds ", blocks));
    }
  }
}

}  // namespace cairn::sim
