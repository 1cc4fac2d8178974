// What a component may touch of the world. Handed in by constructor, so that the same code runs in
// production and in the deterministic simulation; nothing else reads time, entropy, a socket or a
// file.
#ifndef CAIRN_BASE_RUNTIME_H_
#define CAIRN_BASE_RUNTIME_H_

#include "base/clock.h"
#include "base/disk.h"
#include "base/random.h"

namespace cairn {

class Network;  // transport/network.h: floors point down, so base only names it.

// Four references; copy freely. All four outlive every component that holds a copy.
struct Runtime {
  Clock& clock;
  Random& random;
  Disk& disk;
  Network& network;
};

}  // namespace cairn

#endif  // CAIRN_BASE_RUNTIME_H_
