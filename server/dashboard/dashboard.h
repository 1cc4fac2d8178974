// The operator's page: routes for the coordinator's HTTP port. Reads, and changes nothing.
//
//   /  /dashboard.js  /dashboard.css  /cairn.svg   the page, from the binary
//   /api/v1/overview                               GetOverviewReply as JSON
//   /api/v1/history?from=&to=&points=              GetHistoryReply as JSON; seconds since 1970
//   /api/v1/stream                                 Server-Sent Events: one `overview` a second
//   POST /login, /logout                           the operator's credential for a session's cookie
//
// Errors of the API are JSON too: {"error": {"code": "UNIMPLEMENTED", "message": "..."}}; in the
// stream they are `problem` events.
#ifndef CAIRN_SERVER_DASHBOARD_DASHBOARD_H_
#define CAIRN_SERVER_DASHBOARD_DASHBOARD_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/random.h"
#include "server/http/http_server.h"

namespace cairn {

struct DashboardSource {
  // Coordinator::Handle: method and serialized request to serialized reply. Thread-safe.
  std::function<absl::StatusOr<std::string>(const std::string&, const std::string&)> call;
  std::string admin_credential;
};

// The routes, which share what they need. clock and random outlive them.
std::map<std::string, HttpServer::Route> DashboardRoutes(DashboardSource source, Clock& clock,
                                                         Random& random);

}  // namespace cairn

#endif  // CAIRN_SERVER_DASHBOARD_DASHBOARD_H_
