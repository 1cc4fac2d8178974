#include "transport/control/tls.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "server/cli/scratch_folder.h"
#include "tests/transport/control/certificates.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsFiles : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_.File(name);
    EXPECT_TRUE(RealDisk().WriteFileAtomically(path, text, 0600).ok());
    return path;
  }
  static std::string Mistake(const TlsOptions& options) {
    const absl::Status status = ReadTls(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  const ScratchFolder folder_ = *ScratchFolder::Create();
  const TestAuthority authority_;
  const PemPair pair_ = authority_.Issue("DNS:client");
  const std::string ca_ = Write("ca.pem", authority_.certificate_pem());
  const std::string certificate_ = Write("client.pem", pair_.certificate);
  const std::string key_ = Write("client.key", pair_.key);
};

TEST_F(TlsFiles, GoodOnesAreTakenAsTheyAre) {
  const auto texts = ReadTls({ca_, certificate_, key_});
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_EQ(texts->authorities, authority_.certificate_pem());
  EXPECT_EQ(texts->pair.certificate, pair_.certificate);
  EXPECT_EQ(texts->pair.key, pair_.key);
}

TEST_F(TlsFiles, ACertificateWithItsChainBehindItIsOne) {
  const std::string chain =
      Write("chain.pem", "subject: client\n" + pair_.certificate + authority_.certificate_pem());
  EXPECT_TRUE(ReadTls({"", chain, key_}).ok());
}

TEST_F(TlsFiles, NoneIsPlainText) {
  EXPECT_FALSE(TlsOptions().enabled());
  EXPECT_TRUE(ReadTls({}).ok());
}

TEST_F(TlsFiles, OneThatIsNotThereIsNamedWithItsOption) {
  const std::string absent = folder_.File("absent.pem");
  EXPECT_THAT(Mistake({absent, "", ""}), AllOf(HasSubstr("ca_file: "), HasSubstr(absent)));
  EXPECT_THAT(Mistake({ca_, absent, key_}), HasSubstr("certificate_file: "));
  EXPECT_THAT(Mistake({ca_, certificate_, absent}), HasSubstr("key_file: "));
}

TEST_F(TlsFiles, HalfAPairIsRefusedUnread) {
  EXPECT_THAT(Mistake({"", "absent", ""}), HasSubstr("certificate_file: given without key_file"));
  EXPECT_THAT(Mistake({"", "", "absent"}), HasSubstr("key_file: given without certificate_file"));
}

TEST_F(TlsFiles, WhatIsNotPemComesWithTheCommandThatMakesIt) {
  const std::string der = Write("ca.der", authority_.certificate_der());
  EXPECT_THAT(Mistake({der, "", ""}), AllOf(HasSubstr("ca_file: " + der),
                                            HasSubstr("openssl x509 -inform der -in " + der)));
  EXPECT_THAT(Mistake({"", key_, key_}), HasSubstr("certificate_file: " + key_));
  EXPECT_THAT(Mistake({"", certificate_, certificate_}),
              AllOf(HasSubstr("key_file: " + certificate_), HasSubstr("openssl pkey")));
  EXPECT_THAT(Mistake({Write("empty", ""), "", ""}), HasSubstr("holds no certificate"));
}

TEST_F(TlsFiles, AKeyUnderAPassphraseIsRefusedWithoutAskingForIt) {
  const std::string encrypted = Write("encrypted.key", EncryptKey(pair_.key));
  EXPECT_THAT(Mistake({"", certificate_, encrypted}),
              AllOf(HasSubstr("key_file: " + encrypted), HasSubstr("wants a passphrase")));
}

TEST_F(TlsFiles, AKeyOfAnotherCertificateIsRefused) {
  const std::string other = Write("other.key", authority_.Issue("DNS:other").key);
  EXPECT_THAT(Mistake({"", certificate_, other}),
              AllOf(HasSubstr("key_file: " + other), HasSubstr(certificate_)));
}

TEST_F(TlsFiles, NoMessageShowsAKey) {
  const std::string secret = pair_.key.substr(pair_.key.find('\n') + 1, 40);
  for (const TlsOptions& options :
       {TlsOptions{key_, "", ""}, TlsOptions{"", key_, key_}, TlsOptions{"", ca_, key_}}) {
    EXPECT_THAT(Mistake(options), Not(HasSubstr(secret)));
  }
}

TEST(TlsAdvice, IsSilentWhereTlsHasNoPart) {
  const TlsOptions with{"ca.pem", "", ""};
  EXPECT_EQ(TlsAdvice(with, "failed to connect to all addresses; last error: Connection refused"),
            "");
  // Of a call in flight when its coordinator ended.
  EXPECT_EQ(TlsAdvice({}, "Socket closed"), "");
}

}  // namespace
}  // namespace cairn
