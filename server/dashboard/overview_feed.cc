#include "server/dashboard/overview_feed.h"

#include <algorithm>
#include <utility>

namespace cairn {

OverviewFeed::OverviewFeed(std::function<ApiReply()> fetch, Clock& clock)
    : fetch_(std::move(fetch)), clock_(clock) {}

bool OverviewFeed::Due() const {
  return last_.id == 0 || clock_.Now() - fetched_at_ >= kOverviewInterval;
}

void OverviewFeed::Refresh() {
  if (fetching_ || !Due()) return;
  fetching_ = true;
  fetched_at_ = clock_.Now();
  mutex_.Unlock();
  ApiReply reply = fetch_();
  mutex_.Lock();
  fetching_ = false;
  last_ = {last_.id + 1, std::move(reply)};
  fetched_.NotifyAll();
}

OverviewFeed::Item OverviewFeed::Now() {
  const MutexLock lock(mutex_);
  Refresh();
  while (last_.id == 0) fetched_.Wait(mutex_);
  return last_;
}

std::optional<OverviewFeed::Item> OverviewFeed::After(uint64_t seen, absl::Duration patience) {
  const MutexLock lock(mutex_);
  Refresh();
  if (last_.id == 0 || last_.id == seen) {
    const absl::Duration due_in = fetched_at_ + kOverviewInterval - clock_.Now();
    fetched_.WaitFor(mutex_,
                     fetching_ ? patience : std::clamp(due_in, absl::Milliseconds(1), patience));
    Refresh();
  }
  if (last_.id == 0 || last_.id == seen) return std::nullopt;
  return last_;
}

}  // namespace cairn
