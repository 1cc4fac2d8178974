// Looks at the machine for what keeps a node from running well. Each finding names its remedy.
#ifndef CAIRN_SERVER_CLI_DOCTOR_H_
#define CAIRN_SERVER_CLI_DOCTOR_H_

#include <string>
#include <vector>

namespace cairn {

enum class Health { kGood, kWarning, kBad };

struct Finding {
  std::string subject;  // "memlock", "huge_pages", ...
  Health health;
  std::string observed;
  std::string remedy;  // empty when good
};

std::vector<Finding> ExamineMachine();

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_DOCTOR_H_
