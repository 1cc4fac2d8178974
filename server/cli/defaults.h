// Where `cairn up` without options puts things, and so where the other commands look: in one folder
// they need no options either.
#ifndef CAIRN_SERVER_CLI_DEFAULTS_H_
#define CAIRN_SERVER_CLI_DEFAULTS_H_

namespace cairn {

inline constexpr char kDefaultCoordinator[] = "127.0.0.1:7400";
inline constexpr char kDefaultStateFolder[] = "cairn-state";
inline constexpr char kDefaultAdminFile[] = "cairn-state/coordinator/admin";
inline constexpr char kDefaultTenantFile[] = "cairn-state/default.tenant";

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_DEFAULTS_H_
