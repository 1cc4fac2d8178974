// The client's session with the cluster: a token from one of the coordinators, renewed at half of
// its life. With every coordinator down the token stays good until it expires.
#ifndef CAIRN_CLIENT_COORDINATOR_SESSION_H_
#define CAIRN_CLIENT_COORDINATOR_SESSION_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/client.h"
#include "proto/token.h"
#include "transport/control/control_channel.h"

namespace cairn {

class CoordinatorSession {
 public:
  // options, clock outlive the session.
  CoordinatorSession(const ClientOptions& options, const v1::Namespace& ns, const ClientId& client,
                     std::vector<std::unique_ptr<ControlChannel>> channels, Clock& clock);

  size_t Poll();
  // A token is there and has not expired.
  bool open() const { return has_token_ && clock_.Now() < expiry_; }
  const TokenBytes& token() const { return token_; }
  // Of the coordinator that gave the token.
  const std::string& server_version() const { return server_version_; }
  // Refused for good: tenant, credential, namespace or version. OK while it is still tried.
  const absl::Status& refusal() const { return refusal_; }
  // None is open, and every coordinator has been asked in vain since one was.
  bool failing() const { return !open() && failures_ >= channels_.size(); }
  // Each coordinator with its last error, for the message of Connect.
  std::string Errors() const;

  // Asks the present coordinator; kUnavailable goes on to the next for later calls.
  void Locate(v1::LocateRequest request, absl::Duration timeout,
              std::function<void(absl::StatusOr<v1::LocateReply>)> done);
  // Tells the present coordinator what this client saw. One at a time, and nobody waits for the
  // answer, which says when the next one is due. A coordinator too old to take any gets no more
  // until the session is renewed.
  void Report(v1::ReportClientRequest request);
  // kNever: none is due.
  Instant next_report() const { return next_report_; }
  // A node refused the token: another one is asked for.
  void Renew();
  Instant next_event() const;
  const std::vector<std::unique_ptr<ControlChannel>>& channels() const { return channels_; }

 private:
  void Open();
  void OnReported(const absl::StatusOr<v1::ReportClientReply>& reply);
  void OnOpened(size_t channel, absl::StatusOr<v1::OpenSessionReply> reply);
  void Advance(size_t from);

  const ClientOptions& options_;
  Clock& clock_;
  const std::vector<std::unique_ptr<ControlChannel>> channels_;
  std::vector<std::string> errors_;
  v1::OpenSessionRequest request_;
  size_t current_ = 0;
  bool opening_ = false;
  bool has_token_ = false;
  size_t failures_ = 0;  // to open, in a row
  TokenBytes token_{};
  std::string server_version_;
  Instant expiry_;
  Instant opened_at_;  // when the token came
  Instant next_open_{INT64_MIN};
  Instant next_report_ = kNever;  // also while one is on its way
  bool reporting_ = false;
  absl::Status refusal_;
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_COORDINATOR_SESSION_H_
