#include "server/cli/bench/bench.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <semaphore>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/status.h"
#include "server/cli/bench/worker.h"

namespace cairn {
namespace {

constexpr char kModel[] = "cairn-bench";
constexpr uint64_t kMemoryBytesMax = uint64_t{16} << 30;
constexpr auto kLook = std::chrono::milliseconds(50);

class Load {
 public:
  explicit Load(const BenchOptions& options)
      : options_(options), clients_(static_cast<size_t>(options.clients)), outcomes_(clients_) {}

  absl::StatusOr<BenchSummary> Run(const std::function<bool(const BenchProgress&)>& progress) {
    std::vector<std::jthread> threads;
    threads.reserve(clients_);
    for (size_t i = 0; i < clients_; ++i) {
      threads.emplace_back([this, i] {
        outcomes_[i] = RunClient();
        ended_.release();
      });
    }
    for (size_t ended = 0; ended < clients_;) {
      if (ended_.try_acquire_for(kLook)) ++ended;
      Look(progress);
      // One that failed will never be prepared: let nobody wait for it.
      if (ended > 0 && !measuring_) Stop();
    }
    BenchSummary summary;
    summary.block_bytes = options_.client.block_bytes;
    for (const absl::StatusOr<BenchSummary>& outcome : outcomes_) {
      CAIRN_RETURN_IF_ERROR(outcome.status());
      summary.Merge(*outcome);
    }
    return summary;
  }

 private:
  BenchLoad LoadOfClient() const {
    BenchLoad load;
    load.batch = static_cast<size_t>(options_.batch);
    load.depth = static_cast<size_t>(options_.depth);
    load.get_share = options_.get_share;
    const uint64_t call_bytes = load.batch * options_.client.block_bytes;
    load.working_set = std::max<size_t>(1, options_.working_set / clients_ / call_bytes);
    return load;
  }

  uint64_t CallsOfClient() const {
    if (options_.blocks == 0) return std::numeric_limits<uint64_t>::max();
    const auto blocks_of_all_calls = static_cast<uint64_t>(options_.batch) * clients_;
    return (static_cast<uint64_t>(options_.blocks) + blocks_of_all_calls - 1) / blocks_of_all_calls;
  }

  absl::StatusOr<BenchSummary> RunClient() {
    const BenchLoad load = LoadOfClient();
    CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<BlockClient> blocks,
                           BlockClient::Connect(options_.client, kModel, load.batch * load.depth));
    BenchWorker worker(*blocks, load, signals_, RealRandom());
    if (load.get_share > 0) CAIRN_RETURN_IF_ERROR(worker.Prepare());
    ++prepared_;
    measuring_.wait(false);
    return worker.Measure(CallsOfClient());
  }

  void Stop() {
    signals_.stopping = true;
    if (!measuring_) BeginToMeasure();
  }

  void BeginToMeasure() {
    begun_ = RealClock().Now();
    completed_before_ = signals_.completed_blocks;
    moved_before_ = signals_.moved_blocks;
    measuring_ = true;
    measuring_.notify_all();
  }

  void Look(const std::function<bool(const BenchProgress&)>& progress) {
    if (!measuring_ && prepared_ == clients_) BeginToMeasure();
    BenchProgress now{.prepares = !measuring_};
    if (measuring_) {
      now.moved_blocks = signals_.moved_blocks - moved_before_;
      now.seconds = absl::ToDoubleSeconds(RealClock().Now() - begun_);
      now.done = std::min(1.0, Done(now.seconds));
    }
    if (!progress(now)) Stop();
    if (measuring_ && Seconds() > 0 && now.seconds >= Seconds()) signals_.stopping = true;
  }

  double Seconds() const {
    return options_.seconds == 0 && options_.blocks == 0 ? BenchOptions::kSecondsDefault
                                                         : options_.seconds;
  }

  double Done(double seconds) const {
    const double of_time = Seconds() > 0 ? seconds / Seconds() : 0;
    if (options_.blocks == 0) return of_time;
    const auto completed = static_cast<double>(signals_.completed_blocks - completed_before_);
    return std::max(of_time, completed / static_cast<double>(options_.blocks));
  }

  const BenchOptions& options_;
  const size_t clients_;
  std::vector<absl::StatusOr<BenchSummary>> outcomes_;
  BenchSignals signals_;
  std::atomic<size_t> prepared_{0};
  std::atomic<bool> measuring_{false};
  std::counting_semaphore<> ended_{0};
  Instant begun_;
  uint64_t completed_before_ = 0;
  uint64_t moved_before_ = 0;
};

}  // namespace

absl::Status BenchOptions::Validate() const {
  CAIRN_RETURN_IF_ERROR(client.Validate());
  const uint64_t memory_bytes = static_cast<uint64_t>(clients * batch * depth) * client.block_bytes;
  if (memory_bytes > kMemoryBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "clients x batch x depth x block_bytes: ", FormatByteSize(memory_bytes),
        " of memory is above ", FormatByteSize(kMemoryBytesMax), "; lower one of them"));
  }
  return absl::OkStatus();
}

absl::StatusOr<BenchSummary> RunBench(const BenchOptions& options,
                                      const std::function<bool(const BenchProgress&)>& progress) {
  return Load(options).Run(progress);
}

}  // namespace cairn
