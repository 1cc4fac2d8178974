// Kinds of load for models of a tier, made from a seed: what engines ask for, block by block.
#ifndef CAIRN_TESTS_CACHE_MODEL_WORKLOADS_H_
#define CAIRN_TESTS_CACHE_MODEL_WORKLOADS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cache/model/model_block.h"

namespace cairn {

struct Workload {
  struct Request {
    int64_t now_ms = 0;
    std::vector<ModelBlock> blocks;
  };
  std::string name;
  std::vector<Request> requests;   // in order of time
  std::vector<uint32_t> sessions;  // by block: which made it
};

// People who come back to a conversation, or do not.
Workload Chats(uint64_t seed);
// Long chains that grow with each step, behind a few shared system prompts.
Workload Agents(uint64_t seed);
// Long prompts that never come back, beside conversations.
Workload BatchBesideChats(uint64_t seed);
// Questions to documents, some of them asked for by many.
Workload Documents(uint64_t seed);

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_MODEL_WORKLOADS_H_
