// What somebody probably meant who wrote a name that does not exist.
#ifndef CAIRN_BASE_NEAREST_NAME_H_
#define CAIRN_BASE_NEAREST_NAME_H_

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// The known name with the fewest letters changed, added or left out, if it is near enough to be a
// slip of the finger; else empty.
std::string NearestName(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace cairn

#endif  // CAIRN_BASE_NEAREST_NAME_H_
