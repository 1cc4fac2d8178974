// Reads through the node's own data path, as a client would: connection, session, reactor, answer.
// That is what /readyz tells.
#ifndef CAIRN_SERVER_CLI_SELF_GET_H_
#define CAIRN_SERVER_CLI_SELF_GET_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "proto/token.h"
#include "server/node/node.h"

namespace cairn {

// One reactor after the other is asked for a block that it does not have, every half second, by a
// thread of its own. Absent is the answer that works: a block of its own would cost the cache a
// slab. The session's token is signed by a key that this process makes and only its node trusts.
class SelfGet {
 public:
  // kInternal: no entropy.
  static absl::StatusOr<std::unique_ptr<SelfGet>> Create(Runtime& runtime);
  ~SelfGet();

  // For NodeOptions::trusted_keys.
  PublicKey public_key() const { return signer_.public_key(); }
  // node and runtime's members outlive this. From here on the node is told what was found.
  void Begin(Node& node);

 private:
  SelfGet(TokenSigner signer, Runtime& runtime) : signer_(std::move(signer)), runtime_(runtime) {}
  void Run(Node& node);

  const TokenSigner signer_;
  Runtime& runtime_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_SELF_GET_H_
