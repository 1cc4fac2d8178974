// What a demo inherits of its user's environment.
#ifndef CAIRN_SERVER_CLI_DEMO_ENVIRONMENT_H_
#define CAIRN_SERVER_CLI_DEMO_ENVIRONMENT_H_

#include "server/cli/options.h"

namespace cairn {

// Takes the CAIRN_* variables away from this process and those that it starts, except what only
// tunes: a user who exported addresses, credentials, folders and drives of a real cluster gets a
// demo that knows of none. Before the first thread.
void ForgetUsersCluster(const Environment& environment);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_DEMO_ENVIRONMENT_H_
