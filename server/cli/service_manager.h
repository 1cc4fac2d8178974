// systemd's readiness protocol (sd_notify): one datagram a state to the socket that $NOTIFY_SOCKET
// names. Without that variable, nothing happens.
#ifndef CAIRN_SERVER_CLI_SERVICE_MANAGER_H_
#define CAIRN_SERVER_CLI_SERVICE_MANAGER_H_

#include <string>

#include "server/cli/options.h"

namespace cairn {

class ServiceManager {
 public:
  explicit ServiceManager(const Environment& environment);

  // It serves: what waits for the unit may start.
  void Ready() const { Notify("READY=1"); }
  // It was told to end and finishes what is in flight.
  void Stopping() const { Notify("STOPPING=1"); }

 private:
  // A manager that does not listen costs its unit the start-up timeout: that is its to tell, so a
  // failure is a line in the log and no more.
  void Notify(const std::string& state) const;

  std::string socket_;  // a path, or @ and an abstract name
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_SERVICE_MANAGER_H_
