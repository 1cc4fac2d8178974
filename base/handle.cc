#include "base/handle.h"

#include <unistd.h>

namespace cairn {

// Linux frees the descriptor even when close() reports an error; a second try could close another
// thread's new descriptor.
void CloseFileDescriptor(int descriptor) { static_cast<void>(::close(descriptor)); }

}  // namespace cairn
