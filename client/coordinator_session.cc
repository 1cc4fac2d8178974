#include "client/coordinator_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/version.h"
#include "proto/credential.h"
#include "proto/wire.h"

namespace cairn {
namespace {

constexpr absl::Duration kOpenTimeout = absl::Seconds(2);
constexpr absl::Duration kReportTimeout = absl::Seconds(2);
constexpr absl::Duration kReportInterval =
    absl::Seconds(10);  // unless the coordinator says another
constexpr uint32_t kReportIntervalMin_ms = 1000;
constexpr uint32_t kReportIntervalMax_ms = 600'000;

}  // namespace

CoordinatorSession::CoordinatorSession(const ClientOptions& options, const v1::Namespace& ns,
                                       const ClientId& client,
                                       std::vector<std::unique_ptr<ControlChannel>> channels,
                                       Clock& clock)
    : options_(options), clock_(clock), channels_(std::move(channels)), errors_(channels_.size()) {
  const Credential credential = MakeCredential(options.secret);
  request_.set_tenant(options.tenant);
  request_.set_credential(credential.data(), credential.size());
  request_.set_client_id(client.bytes.data(), client.bytes.size());
  *request_.mutable_ns() = ns;
  request_.set_rights(kRightRead | kRightWrite);
  request_.set_client_version(Version());
  request_.set_wire_version_min(wire::kWireVersionMin);
  request_.set_wire_version_max(wire::kWireVersion);
}

size_t CoordinatorSession::Poll() {
  size_t answers = 0;
  for (const auto& channel : channels_) answers += channel->Poll();
  if (!opening_ && refusal_.ok() && clock_.Now() >= next_open_) Open();
  return answers;
}

void CoordinatorSession::Open() {
  opening_ = true;
  CallTyped<v1::OpenSessionReply>(
      *channels_[current_], "/cairn.v1.Coordinator/OpenSession", request_, kOpenTimeout,
      [this, channel = current_](absl::StatusOr<v1::OpenSessionReply> reply) {
        OnOpened(channel, std::move(reply));
      });
}

void CoordinatorSession::OnOpened(size_t channel, absl::StatusOr<v1::OpenSessionReply> reply) {
  opening_ = false;
  if (reply.ok() && reply->token().size() != kTokenBytes) {
    reply = absl::InternalError("a token of odd length");
  }
  if (!reply.ok()) {
    errors_[channel] = std::string(reply.status().message());
    ++failures_;
    next_open_ = clock_.Now() + options_.backoff_min;
    const bool final = absl::IsUnauthenticated(reply.status()) ||
                       absl::IsInvalidArgument(reply.status()) ||
                       absl::IsFailedPrecondition(reply.status());
    if (final && !has_token_) refusal_ = reply.status();
    return Advance(channel);
  }
  std::memcpy(token_.data(), reply->token().data(), token_.size());
  server_version_ = reply->server_version();
  const absl::Duration life = absl::Milliseconds(reply->expires_in_ms());
  has_token_ = true;
  opened_at_ = clock_.Now();
  failures_ = 0;
  expiry_ = clock_.Now() + life;
  next_open_ = clock_.Now() + life / 2;
  if (next_report_ == kNever && !reporting_) next_report_ = clock_.Now() + kReportInterval;
}

void CoordinatorSession::Advance(size_t from) {
  if (current_ == from) current_ = (current_ + 1) % channels_.size();
}

std::string CoordinatorSession::Errors() const {
  std::string text;
  for (size_t i = 0; i < channels_.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "; ", channels_[i]->address(), ": ",
                    errors_[i].empty() ? "no answer yet" : errors_[i]);
  }
  return text;
}

void CoordinatorSession::Locate(v1::LocateRequest request, absl::Duration timeout,
                                std::function<void(absl::StatusOr<v1::LocateReply>)> done) {
  request.set_token(token_.data(), token_.size());
  CallTyped<v1::LocateReply>(
      *channels_[current_], "/cairn.v1.Coordinator/Locate", request, timeout,
      [this, channel = current_, done = std::move(done)](absl::StatusOr<v1::LocateReply> reply) {
        if (!reply.ok()) {
          errors_[channel] = std::string(reply.status().message());
          // Another coordinator may know neither key nor session of ours: open one there.
          next_open_ = clock_.Now();
          Advance(channel);
        }
        done(std::move(reply));
      });
}

void CoordinatorSession::Report(v1::ReportClientRequest request) {
  if (reporting_) return;
  reporting_ = true;
  next_report_ = kNever;
  request.set_token(token_.data(), token_.size());
  request.set_client_id(request_.client_id());
  CallTyped<v1::ReportClientReply>(
      *channels_[current_], "/cairn.v1.Coordinator/ReportClient", request, kReportTimeout,
      [this](const absl::StatusOr<v1::ReportClientReply>& reply) { OnReported(reply); });
}

// A lost report costs nothing: the next one tells the same and more.
void CoordinatorSession::OnReported(const absl::StatusOr<v1::ReportClientReply>& reply) {
  reporting_ = false;
  if (absl::IsUnimplemented(reply.status())) return;
  absl::Duration interval = kReportInterval;
  if (reply.ok() && reply->interval_ms() > 0) {
    interval = absl::Milliseconds(
        std::clamp(reply->interval_ms(), kReportIntervalMin_ms, kReportIntervalMax_ms));
  }
  next_report_ = clock_.Now() + interval;
}

void CoordinatorSession::Renew() {
  next_open_ = std::min(next_open_, std::max(clock_.Now(), opened_at_ + options_.backoff_max));
}

Instant CoordinatorSession::next_event() const { return opening_ ? kNever : next_open_; }

}  // namespace cairn
