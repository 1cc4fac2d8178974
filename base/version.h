// The version of this build: that of the project in CMakeLists.txt, wherever one is shown or sent.
#ifndef CAIRN_BASE_VERSION_H_
#define CAIRN_BASE_VERSION_H_

namespace cairn {

// "1.2.3"; static storage.
const char* Version();

}  // namespace cairn

#endif  // CAIRN_BASE_VERSION_H_
