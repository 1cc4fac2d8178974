// The threads of a node: one per reactor, one for the agent.
#ifndef CAIRN_SERVER_NODE_NODE_THREADS_H_
#define CAIRN_SERVER_NODE_NODE_THREADS_H_

#include <atomic>
#include <thread>
#include <vector>

#include "server/node/node.h"

namespace cairn {

// Polls from construction on; the destructor stops and joins. The node outlives it.
class NodeThreads {
 public:
  explicit NodeThreads(Node& node);
  ~NodeThreads();
  NodeThreads(const NodeThreads&) = delete;
  NodeThreads& operator=(const NodeThreads&) = delete;

 private:
  void RunReactor(size_t i);
  void RunAgent();

  Node& node_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_NODE_THREADS_H_
