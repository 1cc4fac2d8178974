#include "transport/transport.h"

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn {

absl::Status Worker::SendMessage(EndpointId endpoint, absl::Span<const std::byte> message) {
  CAIRN_CHECK(!message.empty() && message.size() <= kTransportMessageBytesMax);
  return DoSendMessage(endpoint, message);
}

absl::Status Worker::SendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks) {
  for (const Bulk& bulk : bulks) {
    CAIRN_CHECK(!bulk.header.empty() && bulk.header.size() <= kTransportHeaderBytesMax);
    CAIRN_CHECK(bulk.source.region != nullptr);
    CAIRN_CHECK(bulk.source.size_bytes >= 1 && bulk.source.size_bytes <= kTransportBulkBytesMax);
    CAIRN_CHECK(bulk.source.offset_bytes <= bulk.source.region->size_bytes());
    CAIRN_CHECK(bulk.source.size_bytes <=
                bulk.source.region->size_bytes() - bulk.source.offset_bytes);
  }
  return DoSendBulks(endpoint, bulks);
}

}  // namespace cairn
