#include "server/cli/local_cluster.h"

#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/disk.h"
#include "base/status.h"
#include "coordinator.pb.h"
#include "server/cli/control_call.h"
#include "server/cli/ready_file.h"
#include "server/cli/tenant_file.h"

namespace cairn {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);  // a loaded machine maps memory slowly

}  // namespace

absl::Status LocalCluster::StartCoordinator(const LocalClusterOptions& options) {
  const std::string log = folder_.File("coordinator.log");
  const std::string ready = folder_.File("coordinator.json");
  CAIRN_ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Start(
          {.arguments = {options.program, "coordinator", "--listen", "127.0.0.1:0",
                         "--state-folder", folder_.File("coordinator"), "--ready-file", ready},
           .log_path = log}));
  CAIRN_ASSIGN_OR_RETURN(const ReadyFacts facts,
                         AwaitReadyFile(ready, process, log, kStartTimeout));
  coordinator_ = facts.at("address");
  coordinator_http_ = facts.at("http");
  admin_credential_ = facts.at("admin");
  processes_.push_back(std::move(process));
  return absl::OkStatus();
}

absl::Status LocalCluster::StartNodes(const LocalClusterOptions& options) {
  const size_t first = processes_.size();
  for (int64_t i = 0; i < options.nodes; ++i) {
    const std::string name = absl::StrCat("node", i);
    CAIRN_ASSIGN_OR_RETURN(
        ChildProcess process,
        ChildProcess::Start({.arguments = {options.program, "node", "--coordinators", coordinator_,
                                           "--state-folder", folder_.File(name), "--dram-bytes",
                                           absl::StrCat(options.dram_bytes_per_node),
                                           "--ready-file", folder_.File(name + ".json")},
                             .log_path = folder_.File(name + ".log")}));
    processes_.push_back(std::move(process));
  }
  for (int64_t i = 0; i < options.nodes; ++i) {
    const std::string name = absl::StrCat("node", i);
    CAIRN_ASSIGN_OR_RETURN(
        const ReadyFacts facts,
        AwaitReadyFile(folder_.File(name + ".json"), processes_[first + static_cast<size_t>(i)],
                       folder_.File(name + ".log"), kStartTimeout));
    node_http_.push_back(facts.at("http"));
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::AddTenant(Network& network) {
  v1::AddTenantRequest request;
  request.set_admin_credential(admin_credential_);
  request.mutable_tenant()->set_name("default");
  CAIRN_ASSIGN_OR_RETURN(const auto reply,
                         ControlCall<v1::AddTenantReply>(
                             network, coordinator_, "/cairn.v1.Coordinator/AddTenant", request));
  TenantFile tenant{"default", {}};
  if (reply.secret().size() != tenant.secret.size()) {
    return absl::InternalError("the coordinator answered with an odd secret");
  }
  std::memcpy(tenant.secret.data(), reply.secret().data(), tenant.secret.size());
  tenant_file_ = folder_.File("default.tenant");
  return WriteTenantFile(tenant_file_, tenant, RealDisk());
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(
    const LocalClusterOptions& options, Network& network) {
  CAIRN_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::Create());
  auto cluster = std::unique_ptr<LocalCluster>(new LocalCluster(std::move(folder)));
  CAIRN_RETURN_IF_ERROR(cluster->StartCoordinator(options));
  CAIRN_RETURN_IF_ERROR(cluster->StartNodes(options));
  CAIRN_RETURN_IF_ERROR(cluster->AddTenant(network));
  return cluster;
}

}  // namespace cairn
