#include "base/version.h"

namespace cairn {

const char* Version() { return CAIRN_VERSION; }

}  // namespace cairn
