#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/handle.h"
#include "base/status.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/tenant_file.h"
#include "server/cli/admin_call.h"
#include "server/cli/admin_verb.h"
#include "server/cli/commands.h"
#include "server/cli/table.h"

namespace cairn {
namespace {

struct Options {
  AdminOptions admin;
  uint64_t inflight_bytes_max = 256u << 20;
  int64_t weight = 100;
  std::string name;
  std::string out;
  bool json = false;
  Palette palette{false};
};

// The file for a secret that will be told once: made before the tenant is, so that a full disk, a
// wrong folder or another tenant's file is found out in time.
class SecretFile {
 public:
  // kInvalidArgument: it exists, or cannot be made.
  static absl::StatusOr<SecretFile> Create(const std::string& path) {
    const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file) return SecretFile(path);
    const int why = errno;
    return absl::InvalidArgumentError(absl::StrCat(
        "out: ", path, ": ",
        why == EEXIST ? "exists and may hold the only copy of a secret; name a new file"
                      : std::strerror(why)));
  }
  SecretFile(SecretFile&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  SecretFile& operator=(SecretFile&&) = delete;
  ~SecretFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  absl::Status Write(const TenantFile& tenant) {
    CAIRN_RETURN_IF_ERROR(WriteTenantFile(path_, tenant, RealDisk()));
    path_.clear();
    return absl::OkStatus();
  }

 private:
  explicit SecretFile(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty once it holds a secret
};

absl::Status Add(const Options& options) {
  CAIRN_ASSIGN_OR_RETURN(SecretFile file, SecretFile::Create(options.out));
  v1::AddTenantRequest request;
  request.mutable_tenant()->set_name(options.name);
  request.mutable_tenant()->set_inflight_bytes_max(options.inflight_bytes_max);
  request.mutable_tenant()->set_weight(static_cast<uint32_t>(options.weight));
  CAIRN_ASSIGN_OR_RETURN(
      const auto reply,
      AdminCall<v1::AddTenantReply>(options.admin, "/cairn.v1.Coordinator/AddTenant", request));
  TenantFile tenant{reply.tenant().name(), {}};
  if (reply.secret().size() != tenant.secret.size()) {
    return absl::InternalError("the coordinator answered with an odd secret");
  }
  std::memcpy(tenant.secret.data(), reply.secret().data(), tenant.secret.size());
  CAIRN_RETURN_IF_ERROR(file.Write(tenant));
  std::printf("tenant %s (id %u): its secret is in %s and nowhere else outside the registry\n",
              tenant.name.c_str(), reply.tenant().id(), options.out.c_str());
  return absl::OkStatus();
}

std::string ListJson(const v1::ListTenantsReply& reply) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::Tenant& tenant : reply.tenants()) {
    list.push_back({{"name", tenant.name()},
                    {"id", tenant.id()},
                    {"inflight_bytes_max", tenant.inflight_bytes_max()},
                    {"weight", tenant.weight()}});
  }
  return list.dump() + "\n";
}

std::string ListText(const v1::ListTenantsReply& reply, const Palette& palette) {
  if (reply.tenants().empty()) return "no tenants; cairn tenant add NAME --out FILE makes one\n";
  Table table("lrrr");
  table.Add({palette.Heading("TENANT"), palette.Heading("ID"), palette.Heading("IN FLIGHT AT MOST"),
             palette.Heading("WEIGHT")});
  for (const v1::Tenant& tenant : reply.tenants()) {
    table.Add({tenant.name(), absl::StrCat(tenant.id()),
               FormatByteSize(tenant.inflight_bytes_max()), absl::StrCat(tenant.weight())});
  }
  return table.ToText();
}

absl::Status List(const Options& options) {
  CAIRN_ASSIGN_OR_RETURN(const auto reply, AdminCall<v1::ListTenantsReply>(
                                               options.admin, "/cairn.v1.Coordinator/ListTenants",
                                               v1::ListTenantsRequest()));
  std::fputs((options.json ? ListJson(reply) : ListText(reply, options.palette)).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Remove(const Options& options) {
  v1::RemoveTenantRequest request;
  request.set_name(options.name);
  CAIRN_RETURN_IF_ERROR(
      AdminCall<v1::RemoveTenantReply>(options.admin, "/cairn.v1.Coordinator/RemoveTenant", request)
          .status());
  std::printf("tenant %s removed; its sessions end when their tokens expire\n",
              options.name.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddTenantCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("tenant", "Add, list and remove tenants");
  command->require_subcommand(1);
  command->footer("Example: cairn tenant list --admin-file cairn-state/coordinator/admin");
  AddAdminVerb(*command, context, "add", "Add a tenant and write its secret to a file", Add,
               [](CLI::App& verb, Options& options, ConfigSchema& schema) {
                 verb.add_option("name", options.name, "1 to 63 of a-z, 0-9, _ and -")->required();
                 verb.add_option("--out", options.out, "File for name and secret (mode 0600)")
                     ->type_name("FILE")
                     ->required();
                 schema.AddBytes("inflight_bytes_max", &options.inflight_bytes_max,
                                 {uint64_t{1} << 20, uint64_t{1} << 40}, "Cap per session.");
                 schema.Add("weight", &options.weight, {1, 1000}, "", "Share under contention.");
                 verb.footer(
                     "Example: cairn tenant add search --out search.tenant --admin-file "
                     "cairn-state/coordinator/admin");
               });
  AddAdminVerb(
      *command, context, "list", "List the tenants", List,
      [](CLI::App& verb, Options& options, ConfigSchema&) {
        verb.add_flag("--json", options.json, "Print JSON");
        verb.footer("Example: cairn tenant list --admin-file cairn-state/coordinator/admin");
      });
  AddAdminVerb(*command, context, "rm", "Remove a tenant", Remove,
               [](CLI::App& verb, Options& options, ConfigSchema&) {
                 verb.add_option("name", options.name, "The tenant")->required();
                 verb.footer(
                     "Example: cairn tenant rm search --admin-file cairn-state/coordinator/admin\n"
                     "Its blocks stay until they are evicted; nobody can name them any more.");
               });
}

}  // namespace cairn
