#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/status.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/tenant_file.h"
#include "server/cli/admin.h"
#include "server/cli/commands.h"
#include "server/cli/control_call.h"
#include "server/cli/exit_code.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

struct Options {
  AdminOptions admin;
  uint64_t inflight_bytes_max = 256u << 20;
  int64_t weight = 100;
  std::string name;
  std::string out;
  bool json = false;
};

template <typename Reply, typename Request>
absl::StatusOr<Reply> Call(const Options& options, const char* method, Request request) {
  CAIRN_ASSIGN_OR_RETURN(const std::string credential, ReadAdminCredential(options.admin));
  request.set_admin_credential(credential);
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  return ControlCall<Reply>(*network, options.admin.coordinator, method, request);
}

absl::Status Add(const Options& options) {
  v1::AddTenantRequest request;
  request.mutable_tenant()->set_name(options.name);
  request.mutable_tenant()->set_inflight_bytes_max(options.inflight_bytes_max);
  request.mutable_tenant()->set_weight(static_cast<uint32_t>(options.weight));
  CAIRN_ASSIGN_OR_RETURN(
      const auto reply,
      Call<v1::AddTenantReply>(options, "/cairn.v1.Coordinator/AddTenant", request));
  TenantFile tenant{reply.tenant().name(), {}};
  if (reply.secret().size() != tenant.secret.size()) {
    return absl::InternalError("the coordinator answered with an odd secret");
  }
  std::memcpy(tenant.secret.data(), reply.secret().data(), tenant.secret.size());
  CAIRN_RETURN_IF_ERROR(WriteTenantFile(options.out, tenant, RealDisk()));
  std::printf("tenant %s (id %u): its secret is in %s and nowhere else outside the registry\n",
              tenant.name.c_str(), reply.tenant().id(), options.out.c_str());
  return absl::OkStatus();
}

absl::Status List(const Options& options) {
  CAIRN_ASSIGN_OR_RETURN(const auto reply,
                         Call<v1::ListTenantsReply>(options, "/cairn.v1.Coordinator/ListTenants",
                                                    v1::ListTenantsRequest()));
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::Tenant& tenant : reply.tenants()) {
      list.push_back({{"name", tenant.name()},
                      {"id", tenant.id()},
                      {"inflight_bytes_max", tenant.inflight_bytes_max()},
                      {"weight", tenant.weight()}});
    }
    std::printf("%s\n", list.dump().c_str());
    return absl::OkStatus();
  }
  std::printf("%-32s %6s %16s %7s\n", "tenant", "id", "in flight max", "weight");
  for (const v1::Tenant& tenant : reply.tenants()) {
    std::printf("%-32s %6u %16s %7u\n", tenant.name().c_str(), tenant.id(),
                FormatByteSize(tenant.inflight_bytes_max()).c_str(), tenant.weight());
  }
  return absl::OkStatus();
}

absl::Status Remove(const Options& options) {
  v1::RemoveTenantRequest request;
  request.set_name(options.name);
  CAIRN_RETURN_IF_ERROR(
      Call<v1::RemoveTenantReply>(options, "/cairn.v1.Coordinator/RemoveTenant", request).status());
  std::printf("tenant %s removed; its sessions end when their tokens expire\n",
              options.name.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddTenantCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  CLI::App* command = app.add_subcommand("tenant", "Add, list and remove tenants");
  command->require_subcommand(1);
  const auto declare = [&](const char* name, const char* help, absl::Status (*run)(const Options&),
                           auto extend) {
    auto options = std::make_shared<Options>();
    auto flags = std::make_shared<CommandOptions>(environment);
    CLI::App* verb = command->add_subcommand(name, help);
    BindAdminOptions(options->admin, flags->schema());
    extend(*verb, *options, flags->schema());
    flags->AddFlags(*verb);
    verb->callback([options, flags, exit_code, run] {
      absl::Status status = flags->Load();
      if (status.ok()) status = run(*options);
      *exit_code = status.ok() ? kExitOk : ReportError(status);
    });
  };
  declare(
      "add", "Add a tenant and write its secret to a file", Add,
      [](CLI::App& verb, Options& options, ConfigSchema& schema) {
        verb.add_option("name", options.name, "1 to 63 of a-z, 0-9, _ and -")->required();
        verb.add_option("--out", options.out, "File for name and secret (mode 0600)")->required();
        schema.AddBytes("inflight_bytes_max", &options.inflight_bytes_max,
                        {uint64_t{1} << 20, uint64_t{1} << 40}, "Cap per session.");
        schema.Add("weight", &options.weight, {1, 1000}, "", "Share under contention.");
      });
  declare("list", "List the tenants", List, [](CLI::App& verb, Options& options, ConfigSchema&) {
    verb.add_flag("--json", options.json, "Print JSON");
  });
  declare("rm", "Remove a tenant", Remove, [](CLI::App& verb, Options& options, ConfigSchema&) {
    verb.add_option("name", options.name, "The tenant")->required();
  });
}

}  // namespace cairn
