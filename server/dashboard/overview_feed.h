// One overview a second however many look, and none when nobody does.
#ifndef CAIRN_SERVER_DASHBOARD_OVERVIEW_FEED_H_
#define CAIRN_SERVER_DASHBOARD_OVERVIEW_FEED_H_

#include <cstdint>
#include <functional>
#include <optional>

#include <absl/base/thread_annotations.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "base/cond_var.h"
#include "base/mutex.h"
#include "server/dashboard/api_reply.h"

namespace cairn {

inline constexpr absl::Duration kOverviewInterval = absl::Seconds(1);

// Has no thread: of those who wait, one fetches. Thread-safe.
class OverviewFeed {
 public:
  struct Item {
    uint64_t id = 0;  // ascending by one; 0: before the first
    ApiReply reply;
  };
  // clock outlives the feed.
  OverviewFeed(std::function<ApiReply()> fetch, Clock& clock);

  // The newest, an interval old at most, or two while another thread fetches.
  Item Now();
  // The newest if its id is another than `seen`; waits at most `patience` for one.
  std::optional<Item> After(uint64_t seen, absl::Duration patience);

 private:
  // Makes last_ at most an interval old, unless somebody else is about it.
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<ApiReply()> fetch_;
  Clock& clock_;
  Mutex mutex_;
  CondVar fetched_;
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
  Instant fetched_at_ ABSL_GUARDED_BY(mutex_);
  Item last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cairn

#endif  // CAIRN_SERVER_DASHBOARD_OVERVIEW_FEED_H_
