// A handler that nothing is told to: no message, and it takes no bulk. Of use for a worker's end,
// and as the base of one that listens to a few events.
#ifndef CAIRN_TRANSPORT_SILENT_HANDLER_H_
#define CAIRN_TRANSPORT_SILENT_HANDLER_H_

#include <string>

#include "transport/transport.h"

namespace cairn {

class SilentHandler : public Handler {
 public:
  void OnAccepted(EndpointId, const std::string&) override {}
  void OnMessage(EndpointId, absl::Span<const std::byte>) override {}
  Landing OnBulkArrival(EndpointId, absl::Span<const std::byte>, uint64_t) override {
    return Landing::Refuse();
  }
  void OnBulkReceived(EndpointId, uint64_t, absl::StatusCode) override {}
  void OnBulkSent(EndpointId, uint64_t, absl::StatusCode) override {}
  void OnFailed(EndpointId, const absl::Status&) override {}
  void OnClosed(EndpointId) override {}
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SILENT_HANDLER_H_
