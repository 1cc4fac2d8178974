#include "base/allocation_count.h"

namespace cairn {

bool AllocationsAreCounted() { return false; }
size_t AllocationCount() { return 0; }

}  // namespace cairn
