// The names that operators give: of tenants, of objectives.
#ifndef CAIRN_SERVER_REGISTRY_GIVEN_NAME_H_
#define CAIRN_SERVER_REGISTRY_GIVEN_NAME_H_

#include <string>

#include <absl/status/status.h>

namespace cairn {

// kInvalidArgument: not 1 to 63 of a-z, 0-9, _ and -; names the field, the name and the rule.
absl::Status CheckGivenName(const char* field, const std::string& name);

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_GIVEN_NAME_H_
