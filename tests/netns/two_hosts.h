// Two hosts on one machine and the cable between them. Needs root and /dev/net/tun.
#ifndef CAIRN_TESTS_NETNS_TWO_HOSTS_H_
#define CAIRN_TESTS_NETNS_TWO_HOSTS_H_

#include <memory>

#include <absl/status/statusor.h>

#include "tests/netns/cable.h"
#include "tests/netns/host.h"

namespace cairn::netns {

inline constexpr char kClientHost[] = "10.77.0.1";
inline constexpr char kServerHost[] = "10.77.0.2";

struct TwoHosts {
  Host client;
  Host server;
  std::unique_ptr<Cable> cable;  // first: the client

  // kPermissionDenied, kNotFound: this machine cannot have them.
  static absl::StatusOr<TwoHosts> Create();
};

// A machine that cannot have two hosts is a reason to skip; every other failure is one.
inline bool CannotHave(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsNotFound(status);
}

}  // namespace cairn::netns

#endif  // CAIRN_TESTS_NETNS_TWO_HOSTS_H_
