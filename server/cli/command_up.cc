#include <CLI/CLI.hpp>

#include <cstdio>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "client/tenant_file.h"
#include "server/cli/commands.h"
#include "server/cli/coordinator_daemon.h"
#include "server/cli/exit_code.h"
#include "server/cli/node_daemon.h"
#include "server/cli/ready_file.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr absl::Duration kNodeReadyTimeout = absl::Seconds(30);
constexpr char kDefaultTenant[] = "default";

struct Options {
  CoordinatorDaemonOptions coordinator;
  NodeDaemonOptions node;
  std::string state_folder;
  std::string ready_file;
};

absl::StatusOr<std::string> DefaultTenantFile(const Options& options, Registry& registry) {
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

void PrintWhatNext(const Options& options, const CoordinatorDaemon& coordinator,
                   const NodeDaemon& node, const std::string& tenant_file) {
  std::printf(
      "Cairn is up: a coordinator at %s and a node with %s of DRAM.\n"
      "  look       cairn status --coordinator %s --admin-file %s/coordinator/admin\n"
      "  connect    coordinators=%s tenant_file=%s\n"
      "  metrics    http://%s/metrics  http://%s/metrics\n"
      "  grow       cairn node --coordinators %s --state-folder FOLDER\n"
      "Ctrl-C ends it; blocks live in memory and go with it.\n",
      coordinator.address().c_str(), FormatByteSize(options.node.node.capacity_bytes).c_str(),
      coordinator.address().c_str(), options.state_folder.c_str(), coordinator.address().c_str(),
      tenant_file.c_str(), coordinator.http_address().c_str(), node.http_address().c_str(),
      coordinator.address().c_str());
  std::fflush(stdout);
}

absl::Status Run(Options& options) {
  SetLog(LogLevel::kWarning, LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(NetworkOptionsOf(options.node)));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  options.coordinator.coordinator.state_folder = options.state_folder + "/coordinator";
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorDaemon> coordinator,
                         CoordinatorDaemon::Start(options.coordinator, runtime));
  CAIRN_ASSIGN_OR_RETURN(const std::string tenant_file,
                         DefaultTenantFile(options, coordinator->registry()));
  options.node.node.state_folder = options.state_folder + "/node";
  options.node.node.coordinators = {coordinator->address()};
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<NodeDaemon> node,
                         NodeDaemon::Start(options.node, runtime));
  if (!node->AwaitReady(kNodeReadyTimeout, termination)) {
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
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  node->Drain();
  return absl::OkStatus();
}

}  // namespace

void AddUpCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("up", "Start a coordinator and a node in one process");
  options->state_folder = "cairn-state";
  flags->schema().Add("state_folder", &options->state_folder,
                      "Folder of identities, keys and the registry.");
  flags->schema().Add("ready_file", &options->ready_file, "Written as JSON when all serve.");
  BindCoordinatorOptions(options->coordinator, "coordinator.", flags->schema());
  BindNodeOptions(options->node, "node.", flags->schema());
  flags->AddFlags(*command);
  command->footer("Example: cairn up --node.dram-bytes 8GiB");
  command->callback([options, flags, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) status = Run(*options);
    *exit_code = status.ok() ? kExitOk : ReportError(status);
  });
}

}  // namespace cairn
