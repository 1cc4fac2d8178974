#include "server/cli/replay/order.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

namespace cairn {

ReplayOrderer::ReplayOrderer(const std::vector<TraceRequest>& trace, size_t count)
    : trace_(trace), count_(std::min(count, trace.size())), producers_(count_), done_(count_) {
  absl::flat_hash_map<uint64_t, uint32_t> first_user;
  for (uint32_t i = 0; i < count_; ++i) {
    for (const uint64_t id : trace[i].block_ids) {
      const auto [user, inserted] = first_user.try_emplace(id, i);
      if (!inserted && user->second != i) producers_[i].push_back(user->second);
    }
    std::sort(producers_[i].begin(), producers_[i].end());
    producers_[i].erase(std::unique(producers_[i].begin(), producers_[i].end()),
                        producers_[i].end());
  }
}

bool ReplayOrderer::Ready(uint32_t request) const {
  return std::all_of(producers_[request].begin(), producers_[request].end(),
                     [this](uint32_t producer) { return done_[producer]; });
}

std::optional<uint32_t> ReplayOrderer::TakeReady(double elapsed_ms) {
  while (waiting_.size() < kWindow && next_ < count_ &&
         static_cast<double>(trace_[next_].timestamp_ms) <= elapsed_ms) {
    waiting_.push_back(static_cast<uint32_t>(next_++));
  }
  const auto ready = std::find_if(waiting_.begin(), waiting_.end(),
                                  [this](uint32_t request) { return Ready(request); });
  if (ready == waiting_.end()) return std::nullopt;
  const uint32_t request = *ready;
  waiting_.erase(ready);
  return request;
}

}  // namespace cairn
