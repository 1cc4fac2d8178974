// The subcommands of `cairn`, one file each. Every function declares one on the application; the
// command's code sets *exit_code when it was the one chosen.
#ifndef CAIRN_SERVER_CLI_COMMANDS_H_
#define CAIRN_SERVER_CLI_COMMANDS_H_

#include "server/cli/options.h"

namespace CLI {
class App;
}

namespace cairn {

void AddCoordinatorCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddNodeCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddUpCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddReplayCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddReplayWorkerCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddDemoCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddStatusCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddTopCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddTenantCommand(CLI::App& app, const Environment& environment, int* exit_code);
void AddDoctorCommand(CLI::App& app, const Environment& environment, int* exit_code);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_COMMANDS_H_
