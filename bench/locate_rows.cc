// The one question per chain, against an empty call to the same server.
#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "bench/rig.h"
#include "bench/rows.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/credential.h"

namespace cairn::bench {
namespace {

constexpr size_t kCalls = 2000;
constexpr size_t kChain = 64;
constexpr absl::Duration kTimeout = absl::Seconds(2);

absl::StatusOr<std::string> Call(ControlChannel& channel, const std::string& method,
                                 const std::string& request) {
  bool ended = false;
  absl::StatusOr<std::string> answer = absl::UnknownError("");
  channel.Call(method, request, kTimeout, [&](absl::StatusOr<std::string> reply) {
    answer = std::move(reply);
    ended = true;
  });
  while (!ended) channel.Poll();
  return answer;
}

// The median in us.
absl::StatusOr<double> Latency(ControlChannel& channel, const std::string& method,
                               const std::string& request) {
  std::vector<double> samples;
  for (size_t i = 0; i < kCalls; ++i) {
    const Instant begun = RealClock().Now();
    CAIRN_RETURN_IF_ERROR(Call(channel, method, request).status());
    samples.push_back(absl::ToDoubleMicroseconds(RealClock().Now() - begun));
  }
  return Median(std::move(samples));
}

absl::StatusOr<std::string> LocateRequestOf(Rig& rig, ControlChannel& channel) {
  const Credential credential = MakeCredential(rig.tenant().secret);
  v1::OpenSessionRequest open;
  open.set_tenant(rig.tenant().name);
  open.set_credential(credential.data(), credential.size());
  open.set_client_id(std::string(16, 'l'));
  *open.mutable_ns() = rig.ns();
  open.set_rights(kRightRead);
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, Call(channel, "/cairn.v1.Coordinator/OpenSession",
                                                       open.SerializeAsString()));
  v1::OpenSessionReply session;
  if (!session.ParseFromString(bytes)) return absl::InternalError("OpenSession: unreadable reply");
  v1::LocateRequest locate;
  locate.set_token(session.token());
  locate.set_namespace_id(session.namespace_id());
  for (size_t i = 0; i < kChain; ++i) {
    const BlockKey key = rig.KeyOf(i);
    locate.mutable_keys()->append(reinterpret_cast<const char*>(key.bytes.data()), sizeof(key));
  }
  return locate.SerializeAsString();
}

absl::StatusOr<Row> RunLocate(size_t rounds) {
  Row row{.name = "locate_64", .unit = "us", .better = Better::kLower, .bar = 3};
  RigOptions options;
  options.block_bytes = 64u << 10;
  options.blocks = kChain;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, kChain, 16, 4).status());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<ControlChannel> channel,
                         rig->network().OpenControlChannel(rig->cluster().coordinator()));
  CAIRN_ASSIGN_OR_RETURN(const std::string locate, LocateRequestOf(*rig, *channel));
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return Latency(*channel, "/cairn.v1.Coordinator/Locate", locate); },
      [&] { return Latency(*channel, "/grpc.health.v1.Health/Check", ""); }, row));
  return row;
}

}  // namespace

std::vector<RowPlan> LocateRows() { return {{"locate_64", RunLocate}}; }

}  // namespace cairn::bench
