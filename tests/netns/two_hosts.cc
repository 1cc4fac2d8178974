#include "tests/netns/two_hosts.h"

#include <utility>

#include "base/status.h"

namespace cairn::netns {
namespace {

constexpr uint64_t kSeed = 20;

}  // namespace

absl::StatusOr<TwoHosts> TwoHosts::Create() {
  CAIRN_ASSIGN_OR_RETURN(Host client, Host::Create(kClientHost));
  CAIRN_ASSIGN_OR_RETURN(Host server, Host::Create(kServerHost));
  auto cable = std::make_unique<Cable>(client.TakeDevice(), server.TakeDevice(), kSeed);
  return TwoHosts{std::move(client), std::move(server), std::move(cable)};
}

}  // namespace cairn::netns
