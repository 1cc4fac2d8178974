// Who may look. From this machine everybody, elsewhere whoever has the operator's credential.
#ifndef CAIRN_SERVER_DASHBOARD_DOOR_H_
#define CAIRN_SERVER_DASHBOARD_DOOR_H_

#include <map>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "server/http/http_server.h"

namespace cairn {

inline constexpr size_t kDashboardSessionsMax = 64;  // the one that ends first goes
inline constexpr absl::Duration kDashboardSession = absl::Hours(12);

// Thread-safe. Every comparison with a secret takes the same time whatever was given.
class Door {
 public:
  // clock and random outlive the door.
  Door(std::string admin_credential, Clock& clock, Random& random);

  // The peer and the Host that it asked for are loopback and no proxy is between (another site's
  // name that was made to point here is not let in), or the request carries the credential
  // (`Authorization: Bearer`) or a session's cookie.
  bool Admits(const HttpRequest& request);
  // False for what another site's page asks for on behalf of its reader.
  static bool SameSite(const HttpRequest& request);
  // A new session's Set-Cookie; empty: the credential is wrong.
  std::string LogIn(const HttpRequest& request, std::string_view credential);
  // Ends the request's session. A Set-Cookie that removes it from the browser.
  std::string LogOut(const HttpRequest& request);

 private:
  bool KnowsSession(std::string_view token);

  const std::string admin_;
  Clock& clock_;
  Random& random_;
  Mutex mutex_;
  std::map<std::string, Instant> sessions_ ABSL_GUARDED_BY(mutex_);  // token to its end
};

}  // namespace cairn

#endif  // CAIRN_SERVER_DASHBOARD_DOOR_H_
