#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "base/status.h"
#include "cairn/v1/coordinator.pb.h"
#include "server/cli/admin_call.h"
#include "server/cli/admin_verb.h"
#include "server/cli/commands.h"

namespace cairn {
namespace {

struct Options {
  AdminOptions admin;
  std::string node;
  Palette palette{false};
};

absl::Status Forget(const Options& options) {
  v1::ForgetNodeRequest request;
  request.set_node(options.node);
  CAIRN_RETURN_IF_ERROR(
      AdminCall<v1::ForgetNodeReply>(options.admin, "/cairn.v1.Coordinator/ForgetNode", request)
          .status());
  std::printf("node %s forgotten; it is known again when its process starts again\n",
              options.node.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddForgetCommand(CLI::App& app, CommandContext& context) {
  AddAdminVerb(
      app, context, "forget", "Forget a lost node that was taken away for good", Forget,
      [](CLI::App& command, Options& options, ConfigSchema&) {
        command.add_option("node", options.node, "Its id, or the first digits, as status has them")
            ->required();
        command.footer(
            "Example: cairn forget 2f3a9c0d --admin-file cairn-state/coordinator/admin\n"
            "A node that is alive is refused.");
      });
}

}  // namespace cairn
