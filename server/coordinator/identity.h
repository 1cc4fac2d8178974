// What a coordinator is for its whole life: of its state folder and its registry.
#ifndef CAIRN_SERVER_COORDINATOR_IDENTITY_H_
#define CAIRN_SERVER_COORDINATOR_IDENTITY_H_

#include <string>

#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "proto/identity.h"
#include "proto/token.h"
#include "server/registry/registry.h"

namespace cairn {

struct CoordinatorIdentity {
  TokenSigner signer;
  std::string admin;  // the operator's credential
  ClusterId cluster;
};

// Makes what is missing. kInvalidArgument: a damaged file; names it and the remedy.
absl::StatusOr<CoordinatorIdentity> LoadOrCreateIdentity(const std::string& state_folder,
                                                         Registry& registry, Runtime& runtime);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_IDENTITY_H_
