// The subcommands of `cairn`, one file each. Every function declares one on the application; the
// command's code sets context.exit_code when it was the one chosen.
#ifndef CAIRN_SERVER_CLI_COMMANDS_H_
#define CAIRN_SERVER_CLI_COMMANDS_H_

#include "server/cli/options.h"

namespace CLI {
class App;
}

namespace cairn {

void AddCoordinatorCommand(CLI::App& app, CommandContext& context);
void AddNodeCommand(CLI::App& app, CommandContext& context);
void AddHoldCommand(CLI::App& app, CommandContext& context);
void AddUpCommand(CLI::App& app, CommandContext& context);
void AddBenchCommand(CLI::App& app, CommandContext& context);
void AddReplayCommand(CLI::App& app, CommandContext& context);
void AddReplayWorkerCommand(CLI::App& app, CommandContext& context);
void AddDemoCommand(CLI::App& app, CommandContext& context);
void AddStatusCommand(CLI::App& app, CommandContext& context);
void AddTopCommand(CLI::App& app, CommandContext& context);
void AddForgetCommand(CLI::App& app, CommandContext& context);
void AddTenantCommand(CLI::App& app, CommandContext& context);
void AddSloCommand(CLI::App& app, CommandContext& context);
void AddDoctorCommand(CLI::App& app, CommandContext& context);
void AddConfigCommand(CLI::App& app, CommandContext& context);
void AddCompletionCommand(CLI::App& app, CommandContext& context);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_COMMANDS_H_
