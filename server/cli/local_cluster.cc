#include "server/cli/local_cluster.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <absl/strings/str_cat.h>

#include "base/disk.h"
#include "base/loopback.h"
#include "base/status.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/tenant_file.h"
#include "server/cli/control_call.h"
#include "server/cli/ready_file.h"

namespace cairn {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);  // a loaded machine maps memory slowly

// process: 0 is the coordinator, the nodes follow.
std::string NameOf(size_t process) {
  return process == 0 ? "coordinator" : absl::StrCat("node", process - 1);
}

}  // namespace

absl::StatusOr<ChildProcess> LocalCluster::StartDaemon(
    const std::string& name, const std::vector<std::string>& arguments) const {
  ChildProcess::Options child;
  child.arguments = options_.launcher;
  child.arguments.push_back(options_.program);
  child.arguments.insert(child.arguments.end(), arguments.begin(), arguments.end());
  for (const std::string& argument :
       {std::string("--http-listen"), options_.host + ":0", std::string("--state-folder"),
        folder_.File(name), std::string("--ready-file"), folder_.File(name + ".json")}) {
    child.arguments.push_back(argument);
  }
  if (!IsLoopback(options_.host + ":0")) child.arguments.push_back("--insecure=true");
  child.log_path = folder_.File(name + ".log");
  return ChildProcess::Start(child);
}

absl::StatusOr<ChildProcess> LocalCluster::StartCoordinator() {
  std::vector<std::string> arguments{"coordinator", "--listen", coordinator_};
  arguments.insert(arguments.end(), options_.coordinator_arguments.begin(),
                   options_.coordinator_arguments.end());
  return StartDaemon("coordinator", arguments);
}

absl::Status LocalCluster::AwaitCoordinator() {
  CAIRN_ASSIGN_OR_RETURN(const ReadyFacts facts,
                         AwaitReadyFile(folder_.File("coordinator.json"), processes_[0],
                                        folder_.File("coordinator.log"), kStartTimeout));
  coordinator_ = facts.at("address");
  coordinator_http_ = facts.at("http");
  admin_credential_ = facts.at("admin");
  return absl::OkStatus();
}

absl::StatusOr<ChildProcess> LocalCluster::StartNode(size_t node) {
  std::vector<std::string> arguments{"node",
                                     "--coordinators",
                                     coordinator_,
                                     "--data-listen",
                                     options_.host + ":0",
                                     "--dram-bytes",
                                     absl::StrCat(options_.dram_bytes_per_node),
                                     "--warm-restart",
                                     absl::FormatDuration(options_.warm_restart)};
  if (options_.nvme_bytes_per_node > 0) {
    const std::string folder = folder_.File(absl::StrCat("drive", node));
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return absl::UnavailableError(absl::StrCat(folder, ": ", error.message()));
    for (const std::string& argument : {std::string("--nvme"), folder, std::string("--nvme-bytes"),
                                        absl::StrCat(options_.nvme_bytes_per_node)}) {
      arguments.push_back(argument);
    }
  }
  arguments.insert(arguments.end(), options_.node_arguments.begin(), options_.node_arguments.end());
  return StartDaemon(absl::StrCat("node", node), arguments);
}

absl::Status LocalCluster::AwaitNode(size_t node) {
  const std::string name = absl::StrCat("node", node);
  CAIRN_ASSIGN_OR_RETURN(const ReadyFacts facts,
                         AwaitReadyFile(folder_.File(name + ".json"), processes_[1 + node],
                                        folder_.File(name + ".log"), kStartTimeout));
  node_http_[node] = facts.at("http");
  node_data_[node] = facts.at("data");
  return absl::OkStatus();
}

absl::Status LocalCluster::BeginRestart(size_t process) {
  const std::string name = NameOf(process);
  std::error_code absent;
  std::filesystem::remove(folder_.File(name + ".json"), absent);
  absl::StatusOr<ChildProcess> started = process == 0 ? StartCoordinator() : StartNode(process - 1);
  CAIRN_RETURN_IF_ERROR(started.status());
  processes_[process] = *std::move(started);
  return absl::OkStatus();
}

absl::StatusOr<bool> LocalCluster::Serves(size_t process) {
  const std::string name = NameOf(process);
  const bool written = std::filesystem::exists(folder_.File(name + ".json"));
  if (!written && processes_[process].running()) return false;
  CAIRN_RETURN_IF_ERROR(process == 0 ? AwaitCoordinator() : AwaitNode(process - 1));
  return true;
}

absl::Status LocalCluster::Restart(size_t process) {
  CAIRN_RETURN_IF_ERROR(BeginRestart(process));
  return process == 0 ? AwaitCoordinator() : AwaitNode(process - 1);
}

// Nodes first: their last reports have somebody to hear them. Nobody will take their memory.
LocalCluster::~LocalCluster() {
  const bool leave_memory = options_.warm_restart > absl::ZeroDuration();
  for (size_t i = 1; leave_memory && i < processes_.size(); ++i) processes_[i].Signal(SIGKILL);
  while (!processes_.empty()) processes_.pop_back();
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
  auto cluster = std::unique_ptr<LocalCluster>(new LocalCluster(options, std::move(folder)));
  CAIRN_ASSIGN_OR_RETURN(ChildProcess coordinator, cluster->StartCoordinator());
  cluster->processes_.push_back(std::move(coordinator));
  CAIRN_RETURN_IF_ERROR(cluster->AwaitCoordinator());
  const auto nodes = static_cast<size_t>(options.nodes);
  cluster->node_http_.resize(nodes);
  cluster->node_data_.resize(nodes);
  for (size_t i = 0; i < nodes; ++i) {
    CAIRN_ASSIGN_OR_RETURN(ChildProcess node, cluster->StartNode(i));
    cluster->processes_.push_back(std::move(node));
  }
  for (size_t i = 0; i < nodes; ++i) CAIRN_RETURN_IF_ERROR(cluster->AwaitNode(i));
  CAIRN_RETURN_IF_ERROR(cluster->AddTenant(network));
  return cluster;
}

}  // namespace cairn
