// Why engines that should share blocks do not: what they declared, side by side.
#ifndef CAIRN_SERVER_CLI_SHARING_CHECK_H_
#define CAIRN_SERVER_CLI_SHARING_CHECK_H_

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "cairn/v1/coordinator.pb.h"
#include "server/cli/doctor.h"

namespace cairn {

// kInvalidArgument lists the engines.
absl::Status CheckEngineName(const std::string& engine);

// Of the namespaces whose hash scheme is the engine's: none at all, zero hits, two of one model
// that differ in a field, one and the same under two tenants.
std::vector<Finding> ExamineSharing(const std::string& engine,
                                    const v1::ListNamespacesReply& known);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_SHARING_CHECK_H_
