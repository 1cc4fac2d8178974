#include "server/cli/control_call.h"

#include <poll.h>

#include <optional>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "transport/control/tls.h"

namespace cairn {
namespace {

constexpr int kPoll_ms = 100;  // the channel itself keeps the time

}  // namespace

absl::StatusOr<std::string> CallBlocking(Network& network, const std::string& address,
                                         const std::string& method, std::string request,
                                         absl::Duration timeout) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<ControlChannel> channel,
                         network.OpenControlChannel(address));
  std::optional<absl::StatusOr<std::string>> reply;
  channel->Call(method, std::move(request), timeout,
                [&reply](absl::StatusOr<std::string> bytes) { reply = std::move(bytes); });
  while (!reply.has_value()) {
    pollfd waiting{channel->event_fd(), POLLIN, 0};
    poll(&waiting, 1, kPoll_ms);
    channel->Poll();
  }
  const absl::Status& status = reply->status();
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    const bool advised = absl::StrContains(status.message(), kTlsAdvice);
    return absl::Status(status.code(),
                        absl::StrCat("no answer from ", address, " (", status.message(), ")",
                                     advised ? "" : "; is the coordinator running there?"));
  }
  return *std::move(reply);
}

}  // namespace cairn
