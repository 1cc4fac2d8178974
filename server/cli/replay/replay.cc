#include "server/cli/replay/replay.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/status.h"
#include "server/cli/child_process.h"
#include "server/cli/replay/order.h"

namespace cairn {
namespace {

constexpr int kLook_ms = 100;  // how often progress is shown and the clients' lives are looked at
constexpr uint32_t kIdle = UINT32_MAX;

struct WorkerProcess {
  ChildProcess process;
  FileDescriptor channel;
  uint32_t request = kIdle;
};

// All that has a variable, too: the worker must not take another value from the environment.
std::vector<std::string> WorkerArguments(const ReplayWorkerOptions& options) {
  const BlockClientOptions& client = options.client;
  std::vector<std::string> arguments{OwnProgramPath(), "replay-worker"};
  for (const auto& [flag, value] : std::initializer_list<std::pair<const char*, std::string>>{
           {"--coordinators", absl::StrJoin(client.coordinators, ",")},
           {"--tenant-file", client.tenant_file},
           {"--trace", options.trace},
           {"--block-bytes", absl::StrCat(client.block_bytes)},
           {"--timeout", absl::FormatDuration(client.timeout)},
           {"--ca-file", client.network.tls.ca_file},
           {"--certificate-file", client.network.tls.certificate_file},
           {"--key-file", client.network.tls.key_file},
           {"--ucx-tls", client.network.ucx.tls}}) {
    arguments.insert(arguments.end(), {flag, value});
  }
  return arguments;
}

absl::StatusOr<WorkerProcess> StartWorker(const ReplayWorkerOptions& options) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return FromErrno(errno, "socketpair");
  }
  FileDescriptor ours(pair[0]);
  const FileDescriptor theirs(pair[1]);
  ChildProcess::Options child;
  child.arguments = WorkerArguments(options);
  child.inherited_descriptor = theirs.get();
  CAIRN_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start(child));
  return WorkerProcess{std::move(process), std::move(ours), kIdle};
}

class Dispatcher {
 public:
  Dispatcher(const ReplayOptions& options, const std::vector<TraceRequest>& trace, size_t count)
      : options_(options), trace_(trace), order_(trace, count), total_(count) {
    summary_.block_bytes = options.worker.client.block_bytes;
  }

  absl::StatusOr<ReplaySummary> Run(const std::function<bool(const ReplayProgress&)>& progress) {
    for (int64_t i = 0; i < options_.clients; ++i) {
      CAIRN_ASSIGN_OR_RETURN(WorkerProcess worker, StartWorker(options_.worker));
      workers_.push_back(std::move(worker));
    }
    begun_ = RealClock().Now();
    while (summary_.requests < total_) {
      CAIRN_RETURN_IF_ERROR(GiveOrders());
      CAIRN_RETURN_IF_ERROR(TakeOutcomes());
      summary_.seconds = absl::ToDoubleSeconds(RealClock().Now() - begun_);
      if (!progress({summary_.requests, total_, summary_.seconds, summary_.lookups, summary_.hits}))
        break;
    }
    summary_.get_latency_us = get_latency_us_.Snapshot();
    return summary_;
  }

 private:
  double ElapsedTrace_ms() const {
    if (options_.speed <= 0) return std::numeric_limits<double>::infinity();
    return absl::ToDoubleMilliseconds(RealClock().Now() - begun_) * options_.speed;
  }

  absl::Status GiveOrders() {
    for (WorkerProcess& worker : workers_) {
      if (worker.request != kIdle) continue;
      const std::optional<uint32_t> ready = order_.TakeReady(ElapsedTrace_ms());
      if (!ready.has_value()) break;
      const ReplayOrder order{*ready};
      if (send(worker.channel.get(), &order, sizeof(order), MSG_NOSIGNAL) < 0) {
        return Lost(worker);
      }
      worker.request = *ready;
    }
    return absl::OkStatus();
  }

  absl::Status TakeOutcomes() {
    std::vector<pollfd> waiting;
    waiting.reserve(workers_.size());
    for (const WorkerProcess& worker : workers_) {
      waiting.push_back({worker.channel.get(), POLLIN, 0});
    }
    poll(waiting.data(), waiting.size(), kLook_ms);
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) CAIRN_RETURN_IF_ERROR(TakeOutcome(workers_[i]));
    }
    return absl::OkStatus();
  }

  absl::Status TakeOutcome(WorkerProcess& worker) {
    packet_.resize(sizeof(ReplayOutcome) + 4 * kTraceBlocksMax);
    const ssize_t got = recv(worker.channel.get(), packet_.data(), packet_.size(), 0);
    if (got < static_cast<ssize_t>(sizeof(ReplayOutcome))) return Lost(worker);
    ReplayOutcome outcome;
    std::memcpy(&outcome, packet_.data(), sizeof(outcome));
    if (outcome.request != worker.request ||
        static_cast<size_t>(got) != sizeof(outcome) + 4 * size_t{outcome.get_count}) {
      return absl::InternalError("a replay client answered out of turn");
    }
    std::vector<uint32_t> latencies(outcome.get_count);
    std::memcpy(latencies.data(), packet_.data() + sizeof(outcome), 4 * latencies.size());
    Count(outcome, latencies);
    order_.Finish(outcome.request);
    worker.request = kIdle;
    return absl::OkStatus();
  }

  void Count(const ReplayOutcome& outcome, const std::vector<uint32_t>& latencies) {
    const TraceRequest& request = trace_[outcome.request];
    ++summary_.requests;
    summary_.lookups += outcome.lookups;
    summary_.hits += outcome.hits;
    summary_.input_tokens += request.input_tokens;
    summary_.hit_tokens +=
        std::min<uint64_t>(uint64_t{kTraceTokensPerBlock} * outcome.hits, request.input_tokens);
    summary_.got_bytes += outcome.got_bytes;
    summary_.put_bytes += outcome.put_bytes;
    summary_.wrong_bytes += outcome.wrong_bytes;
    summary_.late_answers += outcome.late_answers;
    summary_.put_failures += outcome.put_failures;
    for (size_t i = 0; i < outcome.misses.size(); ++i) summary_.misses[i] += outcome.misses[i];
    for (const uint32_t latency_us : latencies) get_latency_us_.Record(latency_us);
  }

  static absl::Status Lost(WorkerProcess& worker) {
    const int code = worker.process.Stop();
    return absl::UnavailableError(
        absl::StrCat("a replay client ended with code ", code, "; its error is above"));
  }

  const ReplayOptions& options_;
  const std::vector<TraceRequest>& trace_;
  ReplayOrderer order_;
  const size_t total_;
  std::vector<WorkerProcess> workers_;
  std::vector<char> packet_;
  Instant begun_;
  Histogram get_latency_us_;
  ReplaySummary summary_;
};

}  // namespace

absl::StatusOr<ReplaySummary> Replay(const ReplayOptions& options,
                                     const std::function<bool(const ReplayProgress&)>& progress) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<TraceRequest> trace, ReadTrace(options.worker.trace));
  // A cluster that is not there is found out once, in one voice, and not by every client.
  CAIRN_RETURN_IF_ERROR(
      BlockClient::Connect(options.worker.client, kReplayModel, /*slots=*/1).status());
  const size_t count = options.requests_max > 0
                           ? std::min(trace.size(), static_cast<size_t>(options.requests_max))
                           : trace.size();
  Dispatcher dispatcher(options, trace, count);
  return dispatcher.Run(progress);
}

}  // namespace cairn
