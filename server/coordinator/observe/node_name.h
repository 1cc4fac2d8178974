// How people are told of a node: the first eight digits of its id.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_NODE_NAME_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_NODE_NAME_H_

#include <algorithm>
#include <cstddef>
#include <string>

#include "base/hex.h"

namespace cairn {

inline std::string ShortNodeName(const std::string& node_id) {
  return HexEncode(
      {reinterpret_cast<const std::byte*>(node_id.data()), std::min<size_t>(node_id.size(), 4)});
}

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_NODE_NAME_H_
