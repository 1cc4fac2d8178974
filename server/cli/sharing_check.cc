#include "server/cli/sharing_check.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace cairn {
namespace {

struct Engine {
  const char* name;
  const char* scheme;  // what its hash schemes begin with
  const char* page;
  const char* block_size;
  const char* hashes;
};
constexpr std::array<Engine, 4> kEngines = {{
    {"vllm", "vllm.", "docs/engines/vllm.md", "--block-size",
     "PYTHONHASHSEED and --prefix-caching-hash-algo"},
    {"sglang", "sglang.", "docs/engines/sglang.md", "--page-size", "the version of SGLang"},
    {"tensorrt-llm", "trtllm.", "docs/engines/tensorrt-llm.md", "tokens_per_block",
     "the version of Cairn's connector"},
    {"lmcache", "lmcache.", "docs/engines/lmcache.md", "chunk_size", "LMCache's hash settings"},
}};

const Engine* FindEngine(const std::string& name) {
  for (const Engine& engine : kEngines) {
    if (name == engine.name) return &engine;
  }
  return nullptr;
}

std::string ShortHex(const std::string& bytes) {
  return bytes.empty() ? "none" : absl::BytesToHexString(bytes.substr(0, 4));
}

// One field in which two namespaces may differ, and what makes it so.
struct Field {
  const char* name;
  std::string (*value)(const v1::Namespace& ns);
  std::string (*remedy)(const Engine& engine);
};
constexpr std::array<Field, 8> kFields = {{
    {"hash_scheme", [](const v1::Namespace& ns) { return ns.hash_scheme(); },
     [](const Engine& engine) {
       return absl::StrCat("give all engines the same ", engine.hashes);
     }},
    {"tokens_per_block",
     [](const v1::Namespace& ns) { return absl::StrCat(ns.tokens_per_block()); },
     [](const Engine& engine) {
       return absl::StrCat("start all engines with the same ", engine.block_size);
     }},
    {"kv_dtype", [](const v1::Namespace& ns) { return ns.kv_dtype(); },
     [](const Engine&) { return std::string("give all engines the same KV cache data type"); }},
    {"layout", [](const v1::Namespace& ns) { return ns.layout(); },
     [](const Engine&) {
       return std::string("use one version of the engine and one attention backend");
     }},
    {"model_digest", [](const v1::Namespace& ns) { return ShortHex(ns.model_digest()); },
     [](const Engine&) {
       return std::string(
           "the weights, or settings that change their results, differ: load the "
           "same files with the same options");
     }},
    {"adapter_digest", [](const v1::Namespace& ns) { return ShortHex(ns.adapter_digest()); },
     [](const Engine&) { return std::string("they serve different adapters: nothing to mend"); }},
    {"tensor_parallel_size",
     [](const v1::Namespace& ns) { return absl::StrCat(std::max(1u, ns.tensor_parallel_size())); },
     [](const Engine&) { return std::string("ranks hold other heads: use one parallel size"); }},
    {"pipeline_size",
     [](const v1::Namespace& ns) { return absl::StrCat(std::max(1u, ns.pipeline_size())); },
     [](const Engine&) { return std::string("stages hold other layers: use one pipeline size"); }},
}};

std::string NameOf(const v1::Namespace& ns) {
  std::string name = ns.model();
  if (ns.tensor_parallel_size() > 1) {
    absl::StrAppend(&name, " tp ", ns.tensor_parallel_rank(), "/", ns.tensor_parallel_size());
  }
  if (ns.pipeline_size() > 1) {
    absl::StrAppend(&name, " pp ", ns.pipeline_rank(), "/", ns.pipeline_size());
  }
  if (ns.cache_group() > 0) absl::StrAppend(&name, " group ", ns.cache_group());
  return name;
}

bool SamePlace(const v1::Namespace& a, const v1::Namespace& b) {
  return a.model() == b.model() && a.tensor_parallel_rank() == b.tensor_parallel_rank() &&
         a.pipeline_rank() == b.pipeline_rank() && a.cache_group() == b.cache_group();
}

Finding ExamineHits(const v1::KnownNamespace& known) {
  const std::string observed =
      absl::StrCat(NameOf(known.ns()), ", tenant ", known.tenant(), ", namespace ",
                   ShortHex(known.namespace_id()), ": ", known.sessions_opened(), " session(s), ",
                   known.blocks_found(), " of ", known.blocks_asked(), " blocks found");
  if (known.blocks_asked() == 0) {
    return {
        "lookups", Health::kWarning, observed,
        "it is connected and asked for nothing: prompts shorter than a block, or prefix caching "
        "is off"};
  }
  if (known.blocks_found() > 0) return {"lookups", Health::kGood, observed, ""};
  return {"lookups", Health::kWarning, observed,
          "send one long prompt twice, to two engines or with the engine's own cache emptied; "
          "still none: see what differs, and the engine's log for lines of cairn"};
}

using Known = std::vector<const v1::KnownNamespace*>;

// The fields in which those of one tenant, model and rank differ.
void CompareFields(const Engine& engine, const Known& alike, std::vector<Finding>& findings) {
  for (const Field& field : kFields) {
    std::set<std::string> values;
    for (const v1::KnownNamespace* one : alike) values.insert(field.value(one->ns()));
    if (values.size() == 1) continue;
    findings.push_back({field.name, Health::kWarning,
                        absl::StrCat(NameOf(alike[0]->ns()), ": ", absl::StrJoin(values, " and ")),
                        field.remedy(engine)});
  }
}

void CompareTenants(const Known& mine, std::vector<Finding>& findings) {
  std::map<std::string, std::set<std::string>> tenants;
  std::map<std::string, std::string> names;
  for (const v1::KnownNamespace* one : mine) {
    tenants[one->namespace_id()].insert(one->tenant());
    names[one->namespace_id()] = NameOf(one->ns());
  }
  for (const auto& [id, its_tenants] : tenants) {
    if (its_tenants.size() == 1) continue;
    findings.push_back({"tenant", Health::kWarning,
                        absl::StrCat(names[id], ": under the tenants ",
                                     absl::StrJoin(its_tenants, " and "), ", which share nothing"),
                        "give the engines the same tenant file, if they may see the same prompts"});
  }
}

}  // namespace

absl::Status CheckEngineName(const std::string& engine) {
  if (FindEngine(engine) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "engine: \"", engine, "\" is none of ",
      absl::StrJoin(kEngines, ", ",
                    [](std::string* out, const Engine& known) { out->append(known.name); })));
}

std::vector<Finding> ExamineSharing(const std::string& engine_name,
                                    const v1::ListNamespacesReply& known) {
  const Engine& engine = *FindEngine(engine_name);
  Known mine;
  for (const v1::KnownNamespace& one : known.namespaces()) {
    if (one.ns().hash_scheme().starts_with(engine.scheme)) mine.push_back(&one);
  }
  std::vector<Finding> findings;
  if (mine.empty()) {
    findings.push_back({"engine", Health::kBad,
                        absl::StrCat("no ", engine.name,
                                     " has connected since this coordinator "
                                     "started"),
                        absl::StrCat("start it as ", engine.page,
                                     " says; its log has the reason when it will not share")});
    return findings;
  }
  std::vector<Known> groups;
  for (const v1::KnownNamespace* one : mine) {
    const auto group = std::find_if(groups.begin(), groups.end(), [one](const Known& alike) {
      return alike[0]->tenant() == one->tenant() && SamePlace(alike[0]->ns(), one->ns());
    });
    if (group == groups.end()) {
      groups.push_back({one});
    } else {
      group->push_back(one);
    }
  }
  for (const Known& alike : groups) CompareFields(engine, alike, findings);
  CompareTenants(mine, findings);
  for (const v1::KnownNamespace* one : mine) findings.push_back(ExamineHits(*one));
  return findings;
}

}  // namespace cairn
