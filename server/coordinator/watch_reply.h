// What a watcher is told.
#ifndef CAIRN_SERVER_COORDINATOR_WATCH_REPLY_H_
#define CAIRN_SERVER_COORDINATOR_WATCH_REPLY_H_

#include <cstddef>

#include <absl/types/span.h>

#include "cairn/v1/coordinator.pb.h"
#include "server/coordinator/change_feeds.h"
#include "server/coordinator/membership.h"

namespace cairn {

inline constexpr size_t kWatchReplyChangesMax = 4096;  // about 120 KB, and a mutex held that long

// Where the watch begins, and whether something is missing before it.
v1::WatchReply MakeFirstWatchReply(const ChangeFeeds::Opened& opened);

// position: of the last change.
v1::WatchReply MakeWatchReply(const ChangeFeeds::Position& position,
                              absl::Span<const IndexChange> changes, const Membership& members);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_WATCH_REPLY_H_
