#include "server/cli/node_daemon.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/loopback.h"
#include "base/memory_limit.h"
#include "base/status.h"
#include "server/cli/network_flags.h"
#include "server/cli/termination.h"
#include "server/http/openmetrics.h"

namespace cairn {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(20);

absl::Status CheckAgainstMachine(const NodeDaemonOptions& options) {
  if (!IsLoopback(options.node.listen_address) && !options.insecure) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data_listen: ", options.node.listen_address,
        " is beyond loopback and the data plane is not encrypted; give --insecure true "
        "inside a trusted fabric"));
  }
  // Pages are granted at first touch: without this the kernel would kill a node that fills up.
  const uint64_t limit_bytes = MemoryLimitBytes();
  if (options.node.capacity_bytes > limit_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dram_bytes: ", FormatByteSize(options.node.capacity_bytes),
        " is above the memory that this process can have, ", FormatByteSize(limit_bytes),
        "; lower it, or raise the limit of its control "
        "group (systemd MemoryMax, Kubernetes resources.limits.memory)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<DiskKey> ReadKey(const std::string& path, Disk& disk) {
  CAIRN_ASSIGN_OR_RETURN(std::string text, disk.ReadFile(path));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  DiskKey key;
  if (HexDecode(text, absl::MakeSpan(key)).ok()) return key;
  return absl::InvalidArgumentError(
      absl::StrCat("nvme_key_file: ", path,
                   " must hold 64 hexadecimal digits; make one with: openssl rand -hex 32"));
}

}  // namespace

void BindNodeOptions(NodeDaemonOptions& options, const std::string& prefix, ConfigSchema& schema) {
  const auto name = [&prefix](const char* option) { return absl::StrCat(prefix, option); };
  NodeOptions& node = options.node;
  schema.Add(name("data_listen"), &node.listen_address,
             "Address of the data plane; port 0 takes a free one per reactor.");
  schema.Add(name("http_listen"), &options.http_listen, "Address of /metrics, /healthz, /readyz.");
  schema.Add(name("insecure"), &options.insecure,
             "Allow an unencrypted data plane beyond loopback, inside a trusted fabric.");
  BindTlsOptions(options.network.tls, prefix, schema);
  BindUcxTls(options.network.ucx, prefix, schema);
  schema.AddBytes(name("dram_bytes"), &node.capacity_bytes,
                  {uint64_t{16} << 20, uint64_t{16} << 40}, "Cache memory over all reactors.");
  schema.Add(name("reactors"), &options.reactors, {1, 256}, "threads", "Data-plane threads.");
  schema.Add(name("huge_pages"), &node.huge_pages, "Use huge pages when the kernel grants them.");
  schema.Add(name("policy"), &options.policy,
             "Which block leaves memory first: lru, s3fifo or learned (docs/policy.md).");
  schema.Add(name("nvme"), &node.nvme_paths,
             "Second tier: folders, or whole devices as /dev/..., comma separated.");
  schema.AddBytes(name("nvme_bytes"), &node.nvme_bytes, {0, uint64_t{256} << 40},
                  "Size of the second tier in each folder, over all reactors.");
  schema.AddBytes(name("nvme_segment_bytes"), &node.nvme_segment_bytes,
                  {log_format::kSegmentBytesMin, log_format::kSegmentBytesMax},
                  "Unit in which NVMe is written and given back; larger blocks stay in memory.");
  schema.Add(name("nvme_preallocate"), &node.nvme_preallocate,
             "Take the space in the folders at the start, so that it cannot lack later.");
  schema.Add(name("nvme_dwpd"), &node.nvme_dwpd, {0, 100}, "drive writes a day",
             "Write at most so many times the size of each path in 24 hours; 0: no limit.");
  schema.AddBytes(name("nvme_daily_write_bytes"), &node.nvme_daily_write_bytes,
                  {0, uint64_t{256} << 40},
                  "Write at most so much to each path in 24 hours; 0: no limit.");
  schema.Add(name("nvme_key_file"), &options.nvme_key_file,
             "File of 64 hexadecimal digits: blocks on NVMe are encrypted under it.");
  schema.Add(name("record_latencies"), &node.record_latencies,
             "Record how long gets take; false only to measure what that costs.");
  schema.Add(name("lease_max"), &node.lease_max, {absl::Milliseconds(100), absl::Hours(1)},
             "How long a client may hold pins without using them.");
  schema.Add(name("drain_timeout"), &node.drain_timeout, {absl::ZeroDuration(), absl::Hours(1)},
             "How long SIGTERM waits for transfers in flight.");
}

RealNetworkOptions NetworkOptionsOf(const NodeDaemonOptions& options) {
  RealNetworkOptions network = options.network;
  if (IsLoopback(options.node.listen_address)) network.ucx.net_devices = "lo";
  return network;
}

NodeOptions NodeDaemonOptions::Node() const {
  NodeOptions options = node;
  options.reactors = static_cast<uint32_t>(reactors);
  const absl::StatusOr<PolicyKind> kind = ParsePolicyKind(policy);
  if (kind.ok()) options.policy = *kind;
  return options;
}

absl::Status NodeDaemonOptions::Validate() const {
  CAIRN_RETURN_IF_ERROR(Node().Validate());
  CAIRN_RETURN_IF_ERROR(ParsePolicyKind(policy).status());
  CAIRN_RETURN_IF_ERROR(network.tls.Validate());
  return HttpServer::CheckAddress(http_listen);
}

absl::StatusOr<std::unique_ptr<NodeDaemon>> NodeDaemon::Start(const NodeDaemonOptions& options,
                                                              Runtime& runtime) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  CAIRN_RETURN_IF_ERROR(CheckAgainstMachine(options));
  NodeOptions node_options = options.Node();
  if (!options.nvme_key_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(node_options.nvme_key, ReadKey(options.nvme_key_file, runtime.disk));
  }
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<SelfGet> self_get, SelfGet::Create(runtime));
  node_options.trusted_keys.push_back(self_get->public_key());
  auto daemon = std::unique_ptr<NodeDaemon>(new NodeDaemon);
  daemon->drain_timeout_ = node_options.drain_timeout;
  NodeDaemon* self = daemon.get();
  CAIRN_ASSIGN_OR_RETURN(daemon->node_, Node::Create(node_options, runtime));
  CAIRN_ASSIGN_OR_RETURN(
      daemon->http_,
      HttpServer::Start(
          options.http_listen,
          {{"/metrics",
            [self](const HttpRequest& request) {
              return MetricsReply(request, self->node_->MetricsText());
            }},
           {"/metrics/openmetrics",
            [self](const HttpRequest&) { return OpenMetricsReply(self->node_->MetricsText()); }},
           {"/healthz", [self](const HttpRequest&) { return HealthReply(self->node_->health()); }},
           {"/readyz", [self](const HttpRequest&) {
              return self->node_->ready() ? HttpReply{.body = "ready\n"}
                                          : HttpReply{.code = 503, .body = "not ready\n"};
            }}}));
  daemon->node_->SetHttpAddress(daemon->http_->address());
  daemon->threads_ = std::make_unique<NodeThreads>(*daemon->node_);
  daemon->self_get_ = std::move(self_get);
  daemon->self_get_->Begin(*daemon->node_);
  return daemon;
}

absl::StatusOr<bool> NodeDaemon::AwaitReady(absl::Duration timeout,
                                            Termination& termination) const {
  const Instant deadline = RealClock().Now() + timeout;
  while (!node_->ready()) {
    CAIRN_RETURN_IF_ERROR(node_->refusal());
    if (RealClock().Now() > deadline || termination.Wait(kLook)) return false;
  }
  return true;
}

absl::StatusOr<std::vector<WarmShard>> NodeDaemon::HandOver() {
  self_get_.reset();
  threads_.reset();
  return node_->HandOver();
}

void NodeDaemon::Drain() {
  Log(LogLevel::kInfo, "drain_begun", {});
  node_->BeginDrain();
  const Instant deadline = RealClock().Now() + drain_timeout_;
  while (!node_->drained() && RealClock().Now() < deadline) absl::SleepFor(kLook);
  Log(LogLevel::kInfo, "drain_ended", {{"complete", node_->drained() ? "yes" : "no"}});
}

}  // namespace cairn
