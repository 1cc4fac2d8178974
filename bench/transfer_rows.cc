// The data path against plain sockets, and its latency against UCX's own ping.
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/clock.h>

#include "base/status.h"
#include "bench/raw_tcp.h"
#include "bench/rig.h"
#include "bench/rows.h"
#include "server/cli/child_process.h"
#include "server/cli/scratch_folder.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kWorkingSetBytes = 128u << 20;  // beyond every cache of the processor
constexpr uint64_t kRoundBytes = 1u << 30;
constexpr int kPingAttemptsMax = 5;  // its server may not listen yet, or its port be taken
constexpr absl::Duration kPingServerStart = absl::Milliseconds(500);

struct Shape {
  const char* name;
  uint32_t block_bytes;
  size_t batch;
  size_t depth;
  double bar;
};

absl::StatusOr<Row> RunGet(const Shape& shape, size_t rounds) {
  Row row{.name = shape.name, .unit = "GB/s", .better = Better::kHigher, .bar = shape.bar};
  RigOptions options;
  options.block_bytes = shape.block_bytes;
  options.blocks = static_cast<uint32_t>(kWorkingSetBytes / shape.block_bytes);
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<RawTcp> raw, RawTcp::Start(kWorkingSetBytes));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, options.blocks, shape.batch, shape.depth).status());
  const size_t count = kRoundBytes / shape.block_bytes;
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return rig->Get(count, shape.batch, shape.depth); },
      [&] { return raw->Get(shape.block_bytes, shape.batch * shape.depth, count); }, row));
  return row;
}

absl::StatusOr<Row> RunPut(size_t rounds) {
  constexpr uint32_t kBlockBytes = 1u << 20;
  constexpr size_t kDepth = 4;
  constexpr size_t kCount = kRoundBytes / kBlockBytes;
  Row row{.name = "put_ucx_tcp_1m", .unit = "GB/s", .better = Better::kHigher, .bar = 0.7};
  RigOptions options;
  options.block_bytes = kBlockBytes;
  options.blocks = kWorkingSetBytes / kBlockBytes;
  options.dram_bytes = uint64_t{1} << 30;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<RawTcp> raw, RawTcp::Start(kWorkingSetBytes));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  // The arena's pages are touched on first use; after that new blocks take the place of old ones.
  uint64_t next = 0;
  const auto put = [&]() -> absl::StatusOr<double> {
    const absl::StatusOr<double> speed = rig->Put(next, kCount, 1, kDepth);
    next += kCount;
    return speed;
  };
  while (next * kBlockBytes < 2 * options.dram_bytes) CAIRN_RETURN_IF_ERROR(put().status());
  CAIRN_RETURN_IF_ERROR(
      Interleave(rounds, put, [&] { return raw->Put(kBlockBytes, kDepth, kCount); }, row));
  return row;
}

absl::StatusOr<ChildProcess> StartPerftest(const std::string& log, uint32_t bytes, int port,
                                           const std::vector<std::string>& server) {
  ChildProcess::Options options{
      .arguments = {"/usr/bin/env", "UCX_TLS=tcp", "UCX_NET_DEVICES=lo", "ucx_perftest", "-t",
                    "ucp_am_lat", "-f", "-n", "5000", "-s", absl::StrCat(bytes), "-p",
                    absl::StrCat(port)},
      .log_path = log};
  options.arguments.insert(options.arguments.end(), server.begin(), server.end());
  return ChildProcess::Start(options);
}

// The last line that begins with a count: [Final:] iterations  50.0%ile  average  overall  ...
double MedianOf(const std::string& output) {
  double median_us = 0;
  for (const absl::string_view line : absl::StrSplit(output, '\n')) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (!words.empty() && words[0] == "Final:") words.erase(words.begin());
    uint64_t iterations = 0;
    if (words.size() < 3 || !absl::SimpleAtoi(words[0], &iterations)) continue;
    if (!absl::SimpleAtod(words[1], &median_us)) median_us = 0;
  }
  return median_us;
}

// The median one-way time of ucx_perftest's active-message ping-pong, in us.
absl::StatusOr<double> UcxPing(uint32_t bytes) {
  CAIRN_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::Create());
  const int port = 20000 + getpid() % 10000;
  for (int attempt = 0; attempt < kPingAttemptsMax; ++attempt) {
    CAIRN_ASSIGN_OR_RETURN(ChildProcess server,
                           StartPerftest(folder.File("server"), bytes, port + attempt, {}));
    absl::SleepFor(kPingServerStart);
    const std::string log = folder.File(absl::StrCat("client", attempt));
    CAIRN_ASSIGN_OR_RETURN(ChildProcess client,
                           StartPerftest(log, bytes, port + attempt, {"127.0.0.1"}));
    while (client.running()) absl::SleepFor(absl::Milliseconds(10));
    const double median_us = MedianOf(RealDisk().ReadFile(log).value_or(""));
    if (median_us > 0) return median_us;
  }
  return absl::InternalError("ucx_perftest printed no median");
}

absl::StatusOr<Row> RunLatency(size_t rounds) {
  constexpr uint32_t kBlockBytes = 64u << 10;
  Row row{.name = "get_latency_64k", .unit = "us", .better = Better::kLower, .bar = 2};
  RigOptions options;
  options.block_bytes = kBlockBytes;
  options.blocks = 256;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, options.blocks, 16, 4).status());
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return rig->GetLatency(5000); }, [] { return UcxPing(kBlockBytes); }, row));
  return row;
}

}  // namespace

std::vector<RowPlan> TransferRows() {
  std::vector<RowPlan> rows;
  for (const Shape& shape :
       {Shape{"get_ucx_tcp_1m", 1u << 20, 1, 4, 0.9}, Shape{"get_ucx_tcp_4m", 4u << 20, 1, 4, 0.9},
        Shape{"get_ucx_tcp_64k", 64u << 10, 16, 4, 0.5}}) {
    rows.push_back({shape.name, [shape](size_t rounds) { return RunGet(shape, rounds); }});
  }
  rows.push_back({"put_ucx_tcp_1m", RunPut});
  rows.push_back({"get_latency_64k", RunLatency});
  return rows;
}

}  // namespace cairn::bench
