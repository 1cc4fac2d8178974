#include <CLI/CLI.hpp>

#include <cstdio>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "client/tenant_file.h"
#include "server/cli/commands.h"
#include "server/cli/daemon_options.h"
#include "server/cli/end_guard.h"
#include "server/cli/ready_file.h"
#include "server/cli/service_manager.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr absl::Duration kNodeReadyTimeout = absl::Seconds(30);
constexpr char kDefaultTenant[] = "default";

absl::StatusOr<std::string> DefaultTenantFile(const UpCommandOptions& options, Registry& registry) {
  absl::StatusOr<TenantRecord> tenant = registry.FindTenant(kDefaultTenant);
  if (absl::IsNotFound(tenant.status())) {
    TenantRecord wanted;
    wanted.name = kDefaultTenant;
    tenant = registry.AddTenant(wanted);
  }
  CAIRN_RETURN_IF_ERROR(tenant.status());
  std::string path = options.state_folder + "/default.tenant";
  CAIRN_RETURN_IF_ERROR(WriteTenantFile(path, {tenant->name, tenant->secret}, RealDisk()));
  return path;
}

void PrintWhatNext(const UpCommandOptions& options, const CoordinatorDaemon& coordinator,
                   const NodeDaemon& node, const std::string& tenant_file) {
  std::printf(
      "Cairn is up: a coordinator at %s and a node with %s of DRAM.\n"
      "  look       http://%s/\n"
      "  watch      cairn top --coordinator %s --admin-file %s/coordinator/admin\n"
      "  load       cairn bench --coordinator %s --tenant-file %s\n"
      "  metrics    http://%s/metrics  http://%s/metrics\n"
      "  grow       cairn node --coordinators %s --state-folder FOLDER\n"
      "Ctrl-C ends it; blocks live in memory and go with it.\n",
      coordinator.address().c_str(), FormatByteSize(options.node.node.capacity_bytes).c_str(),
      coordinator.http_address().c_str(), coordinator.address().c_str(),
      options.state_folder.c_str(), coordinator.address().c_str(), tenant_file.c_str(),
      coordinator.http_address().c_str(), node.http_address().c_str(),
      coordinator.address().c_str());
  std::fflush(stdout);
}

absl::Status Run(const UpCommandOptions& options, const ServiceManager& manager) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  SetLog(LogLevel::kWarning, LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(NetworkOptionsOf(options.node)));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  EndGuard end;  // outlives the coordinator
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorDaemon> coordinator,
                         CoordinatorDaemon::Start(options.CoordinatorOptions(), runtime));
  CAIRN_ASSIGN_OR_RETURN(const std::string tenant_file,
                         DefaultTenantFile(options, coordinator->registry()));
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<NodeDaemon> node,
                         NodeDaemon::Start(options.NodeOptions(coordinator->address()), runtime));
  CAIRN_ASSIGN_OR_RETURN(const bool ready, node->AwaitReady(kNodeReadyTimeout, termination));
  if (!ready) {
    return absl::UnavailableError("the node did not become ready; `cairn doctor` looks for causes");
  }
  PrintWhatNext(options, *coordinator, *node, tenant_file);
  CAIRN_RETURN_IF_ERROR(WriteReadyFile(options.ready_file,
                                       {{"coordinator", coordinator->address()},
                                        {"coordinator_http", coordinator->http_address()},
                                        {"node_http", node->http_address()},
                                        {"admin_file", options.state_folder + "/coordinator/admin"},
                                        {"tenant", kDefaultTenant},
                                        {"tenant_file", tenant_file}}));
  manager.Ready();
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  manager.Stopping();
  node->Drain();
  node.reset();
  end.Begin();
  return absl::OkStatus();
}

}  // namespace

void AddUpCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<UpCommandOptions>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("up", "Start a coordinator and a node in one process");
  options->Bind(flags->schema());
  flags->AddFlags(*command);
  command->footer("Example: cairn up --node.dram-bytes 8GiB");
  command->callback([options, flags] {
    flags->Run([&] { return Run(*options, ServiceManager(flags->environment())); });
  });
}

}  // namespace cairn
