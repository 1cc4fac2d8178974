#include "server/cli/sharing_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

struct SharingCheck : ::testing::Test {
  // Two sessions that share everything so far.
  SharingCheck() {
    AddSession("default");
    AddSession("default");
  }
  v1::KnownNamespace& AddSession(const std::string& tenant) {
    v1::KnownNamespace& one = *known.add_namespaces();
    one.set_tenant(tenant);
    one.set_namespace_id(std::to_string(known.namespaces_size()));
    one.set_sessions_opened(2);
    one.set_blocks_asked(100);
    one.set_blocks_found(40);
    v1::Namespace& ns = *one.mutable_ns();
    ns.set_model("llama");
    ns.set_hash_scheme("vllm.sha256.1");
    ns.set_tokens_per_block(16);
    ns.set_layout("L");
    ns.set_kv_dtype("bf16");
    ns.set_model_digest(std::string(32, 'm'));
    return one;
  }
  v1::Namespace& second() { return *known.mutable_namespaces(1)->mutable_ns(); }
  // What is not good.
  std::vector<Finding> Findings() const {
    std::vector<Finding> bad;
    for (Finding& finding : ExamineSharing("vllm", known)) {
      if (finding.health != Health::kGood) bad.push_back(std::move(finding));
    }
    return bad;
  }
  static auto Names(const char* subject, const char* observed, const char* remedy) {
    return AllOf(Field(&Finding::subject, subject), Field(&Finding::observed, HasSubstr(observed)),
                 Field(&Finding::remedy, HasSubstr(remedy)));
  }

  v1::ListNamespacesReply known;
};

TEST_F(SharingCheck, EnginesThatFindBlocksAreGood) {
  EXPECT_TRUE(Findings().empty());
  const std::vector<Finding> all = ExamineSharing("vllm", known);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].observed,
            "llama, tenant default, namespace 31: 2 session(s), 40 of 100 blocks found");
}

TEST_F(SharingCheck, AnEngineThatNeverCameIsBad) {
  const std::vector<Finding> all = ExamineSharing("sglang", known);
  EXPECT_THAT(all,
              ElementsAre(Names("engine", "no sglang has connected", "docs/engines/sglang.md")));
  EXPECT_EQ(all[0].health, Health::kBad);
}

TEST_F(SharingCheck, ZeroHitsAreNamedWithTheirCounts) {
  known.mutable_namespaces(0)->set_blocks_found(0);
  EXPECT_THAT(Findings(), ElementsAre(Names("lookups", "0 of 100 blocks found", "twice")));
  known.mutable_namespaces(0)->set_blocks_asked(0);
  EXPECT_THAT(Findings(), ElementsAre(Names("lookups", "0 of 0", "prefix caching")));
}

TEST_F(SharingCheck, EachFieldThatDiffersIsNamedWithItsRemedy) {
  second().set_hash_scheme("vllm.sha256.2");
  EXPECT_THAT(Findings(), ElementsAre(Names("hash_scheme", "llama: vllm.sha256.1 and vllm.sha256.2",
                                            "PYTHONHASHSEED")));
  second().set_hash_scheme("vllm.sha256.1");
  second().set_tokens_per_block(32);
  EXPECT_THAT(Findings(), ElementsAre(Names("tokens_per_block", "16 and 32", "--block-size")));
  second().set_tokens_per_block(16);
  second().set_layout("M");
  EXPECT_THAT(Findings(), ElementsAre(Names("layout", "L and M", "attention backend")));
  second().set_layout("L");
  second().set_kv_dtype("fp8");
  EXPECT_THAT(Findings(), ElementsAre(Names("kv_dtype", "bf16 and fp8", "data type")));
  second().set_kv_dtype("bf16");
  second().set_model_digest(std::string(32, 'n'));
  EXPECT_THAT(Findings(), ElementsAre(Names("model_digest", "6d6d6d6d and 6e6e6e6e", "weights")));
}

TEST_F(SharingCheck, AFieldIsNamedOnceHoweverManyDiffer) {
  second().set_tokens_per_block(32);
  AddSession("default").mutable_ns()->set_tokens_per_block(64);
  EXPECT_THAT(Findings(), ElementsAre(Names("tokens_per_block", "16 and 32 and 64", "--block")));
}

TEST_F(SharingCheck, RanksAndOtherModelsAreNotCompared) {
  second().set_tensor_parallel_size(2);
  second().set_tensor_parallel_rank(1);
  EXPECT_TRUE(Findings().empty());
  second().set_tensor_parallel_rank(0);
  EXPECT_THAT(Findings(), ElementsAre(Names("tensor_parallel_size", "1 and 2", "parallel size")));
  second().set_model("qwen");
  EXPECT_TRUE(Findings().empty());
}

TEST_F(SharingCheck, OneNamespaceUnderTwoTenantsIsNamed) {
  known.mutable_namespaces(1)->set_tenant("other");
  known.mutable_namespaces(1)->set_namespace_id("1");
  EXPECT_THAT(Findings(), ElementsAre(Names("tenant", "default and other", "same tenant file")));
}

TEST(EngineName, IsOneOfThoseThatAreListed) {
  EXPECT_TRUE(CheckEngineName("tensorrt-llm").ok());
  EXPECT_THAT(std::string(CheckEngineName("vlm").message()),
              HasSubstr("\"vlm\" is none of vllm, sglang, tensorrt-llm, lmcache"));
}

}  // namespace
}  // namespace cairn
