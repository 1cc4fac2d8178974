#include "transport/control/tls_renewal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "server/cli/scratch_folder.h"
#include "tests/transport/control/certificates.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Renewal : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) const {
    ASSERT_TRUE(RealDisk().WriteFileAtomically(path, text, 0600).ok());
  }
  void Write(const PemPair& pair) const {
    Write(certificate_, pair.certificate);
    Write(key_, pair.key);
  }
  void Look(int times) const {
    for (int i = 0; i < times; ++i) renewal_->Look();
  }
  // What is logged while it looks so often.
  std::string LogOf(int looks) const {
    ::testing::internal::CaptureStderr();
    Look(looks);
    return ::testing::internal::GetCapturedStderr();
  }
  void SetUp() override {
    Write(old_);
    renewal_ = TlsRenewal::Create([this] { return ReadTls({"", certificate_, key_}); }).value();
  }

  const ScratchFolder folder_ = *ScratchFolder::Create();
  const std::string certificate_ = folder_.File("tls.crt");
  const std::string key_ = folder_.File("tls.key");
  const TestAuthority authority_;
  const PemPair old_ = authority_.Issue("DNS:client");
  const PemPair new_ = authority_.Issue("DNS:client");
  std::unique_ptr<TlsRenewal> renewal_;
};

TEST_F(Renewal, FilesThatAreWrongAtTheStartAreTheCallersError) {
  Write(key_, new_.key);
  const auto renewal = TlsRenewal::Create([this] { return ReadTls({"", certificate_, key_}); });
  EXPECT_EQ(renewal.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(renewal.status().message(), HasSubstr("is not the key of"));
}

TEST_F(Renewal, WhatDoesNotChangeStaysTheSameObjectWithoutAWord) {
  const auto before = renewal_->texts();
  EXPECT_EQ(LogOf(3), "");
  EXPECT_EQ(renewal_->texts(), before);
}

TEST_F(Renewal, ANewPairIsTakenUpAndTheOldOneLivesOnWithWhoHasIt) {
  const auto before = renewal_->texts();
  Write(new_);
  EXPECT_THAT(LogOf(2), HasSubstr("certificates_renewed"));
  EXPECT_EQ(renewal_->texts()->pair, new_);
  EXPECT_EQ(before->pair, old_);
}

TEST_F(Renewal, FilesThatAreBeingWrittenAreNeitherTakenNorWorthAWord) {
  Write(certificate_, new_.certificate);  // whose key has yet to come
  EXPECT_EQ(LogOf(1), "");
  EXPECT_EQ(renewal_->texts()->pair, old_);
  Write(key_, new_.key);
  EXPECT_EQ(LogOf(1), "");
  EXPECT_EQ(renewal_->texts()->pair, old_);
  Look(1);
  EXPECT_EQ(renewal_->texts()->pair, new_);
}

TEST_F(Renewal, ABrokenOneIsToldOnceAndTheOldOneKept) {
  const auto before = renewal_->texts();
  Write(key_, new_.key);
  EXPECT_THAT(LogOf(2), AllOf(HasSubstr("certificates_not_renewed"), HasSubstr(key_),
                              HasSubstr("is not the key of")));
  EXPECT_EQ(LogOf(5), "");
  EXPECT_EQ(renewal_->texts(), before);
  Write(certificate_, new_.certificate.substr(0, new_.certificate.size() / 2));
  EXPECT_THAT(LogOf(5), HasSubstr("holds no certificate"));
  EXPECT_EQ(renewal_->texts(), before);
}

TEST_F(Renewal, WhatBreaksAgainAfterItWasGoodIsToldAgain) {
  Write(key_, new_.key);
  Look(2);
  Write(key_, old_.key);
  EXPECT_EQ(LogOf(2), "") << "nothing is new";
  Write(key_, new_.key);
  EXPECT_THAT(LogOf(2), HasSubstr("certificates_not_renewed"));
  Write(new_);
  Look(2);
  EXPECT_EQ(renewal_->texts()->pair, new_);
}

TEST_F(Renewal, FilesThatAreGoneAreABrokenRenewal) {
  ASSERT_EQ(unlink(certificate_.c_str()), 0);
  EXPECT_THAT(LogOf(2), HasSubstr("certificates_not_renewed"));
  EXPECT_EQ(renewal_->texts()->pair, old_);
}

}  // namespace
}  // namespace cairn
