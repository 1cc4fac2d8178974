// Which addresses only this machine reaches: everything else needs encryption or an explicit word.
#ifndef CAIRN_BASE_LOOPBACK_H_
#define CAIRN_BASE_LOOPBACK_H_

#include <string_view>

namespace cairn {

// address: "host:port" or "unix:path". Only what is spelled as loopback: names are not resolved.
bool IsLoopback(std::string_view address);

}  // namespace cairn

#endif  // CAIRN_BASE_LOOPBACK_H_
