#include "proto/token.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow_unix_s = 1'800'000'000;

TokenSigner SignerOf(unsigned char seed_byte) {
  const std::vector<std::byte> seed(32, std::byte{seed_byte});
  absl::StatusOr<TokenSigner> signer = TokenSigner::FromSeed(seed);
  EXPECT_EQ(signer.status(), absl::OkStatus());
  return *std::move(signer);
}

TokenClaims Claims() {
  TokenClaims claims;
  claims.tenant = 7;
  claims.rights = kRightRead | kRightWrite;
  claims.not_before_unix_s = kNow_unix_s - 10;
  claims.expiry_unix_s = kNow_unix_s + 600;
  claims.client.bytes[3] = std::byte{5};
  claims.inflight_bytes_max = 1u << 30;
  return claims;
}

class TokenTest : public testing::Test {
 protected:
  absl::StatusOr<TokenClaims> Verify(absl::Span<const std::byte> token, int64_t now_unix_s) {
    const PublicKey keys[] = {signer_.public_key()};
    return VerifyToken(token, keys, now_unix_s);
  }
  void ExpectRefused(absl::Span<const std::byte> token, int64_t now_unix_s,
                     const std::string& why) {
    const absl::Status status = Verify(token, now_unix_s).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(Std(status.message())), HasSubstr(why));
  }

  const TokenSigner signer_ = SignerOf(1);
};

TEST_F(TokenTest, CarriesItsClaims) {
  const TokenClaims claims = Claims();
  const absl::StatusOr<TokenClaims> verified = Verify(signer_.Sign(claims), kNow_unix_s);
  ASSERT_EQ(verified.status(), absl::OkStatus());
  EXPECT_EQ(verified->tenant, claims.tenant);
  EXPECT_EQ(verified->rights, claims.rights);
  EXPECT_EQ(verified->not_before_unix_s, claims.not_before_unix_s);
  EXPECT_EQ(verified->expiry_unix_s, claims.expiry_unix_s);
  EXPECT_EQ(verified->client, claims.client);
  EXPECT_EQ(verified->inflight_bytes_max, claims.inflight_bytes_max);
}

TEST_F(TokenTest, IsRefusedWithAnyBitFlipped) {
  TokenBytes token = signer_.Sign(Claims());
  for (size_t bit = 0; bit < 8 * token.size(); ++bit) {
    token[bit / 8] ^= std::byte{1} << (bit % 8);
    ExpectRefused(token, kNow_unix_s, "bad signature");
    token[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_EQ(Verify(token, kNow_unix_s).status(), absl::OkStatus());
}

TEST_F(TokenTest, IsRefusedAtAnyOtherLength) {
  const TokenBytes token = signer_.Sign(Claims());
  for (size_t size = 0; size < token.size(); ++size) {
    const std::vector<std::byte> cut(token.begin(), token.begin() + size);
    ExpectRefused(cut, kNow_unix_s, "malformed");
  }
  std::vector<std::byte> longer(token.begin(), token.end());
  longer.push_back(std::byte{0});
  ExpectRefused(longer, kNow_unix_s, "malformed");
}

TEST_F(TokenTest, OfAnotherSignerIsRefused) {
  ExpectRefused(SignerOf(2).Sign(Claims()), kNow_unix_s, "bad signature");
}

TEST_F(TokenTest, IsAcceptedUnderAnyOfSeveralKeysAndNoneOfNone) {
  const TokenBytes token = signer_.Sign(Claims());
  const PublicKey rotated[] = {SignerOf(2).public_key(), signer_.public_key()};
  EXPECT_EQ(VerifyToken(token, rotated, kNow_unix_s).status(), absl::OkStatus());
  EXPECT_EQ(VerifyToken(token, {}, kNow_unix_s).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(TokenTest, KeyThatIsNoPointOfTheCurveOnlyFailsToVerify) {
  PublicKey garbage;
  garbage.fill(std::byte{0xff});
  const PublicKey keys[] = {garbage, signer_.public_key()};
  EXPECT_EQ(VerifyToken(signer_.Sign(Claims()), keys, kNow_unix_s).status(), absl::OkStatus());
}

TEST_F(TokenTest, IsValidFromSkewBeforeItsBeginToSkewBehindItsEnd) {
  const TokenClaims claims = Claims();
  const TokenBytes token = signer_.Sign(claims);
  const int64_t first = claims.not_before_unix_s - kTokenClockSkew_s;
  const int64_t last = claims.expiry_unix_s + kTokenClockSkew_s - 1;
  ExpectRefused(token, first - 1, "not yet valid");
  EXPECT_EQ(Verify(token, first).status(), absl::OkStatus());
  EXPECT_EQ(Verify(token, last).status(), absl::OkStatus());
  ExpectRefused(token, last + 1, "expired");
}

TEST_F(TokenTest, WithImpossibleClaimsIsRefused) {
  TokenClaims nobody = Claims();
  nobody.tenant = 0;
  ExpectRefused(signer_.Sign(nobody), kNow_unix_s, "tenant 0");
  TokenClaims backwards = Claims();
  backwards.expiry_unix_s = backwards.not_before_unix_s - 1;
  ExpectRefused(signer_.Sign(backwards), kNow_unix_s, "malformed");
  TokenClaims ancient = Claims();
  ancient.not_before_unix_s = INT64_MIN;
  ExpectRefused(signer_.Sign(ancient), kNow_unix_s, "malformed");
}

TEST_F(TokenTest, EternalTokenIsValidWithoutOverflow) {
  TokenClaims eternal = Claims();
  eternal.not_before_unix_s = 0;
  eternal.expiry_unix_s = INT64_MAX;
  EXPECT_EQ(Verify(signer_.Sign(eternal), kNow_unix_s).status(), absl::OkStatus());
}

TEST_F(TokenTest, RightsOfTheFutureAreLeftOut) {
  TokenClaims claims = Claims();
  claims.rights = kRightRead | 1u << 31;
  const absl::StatusOr<TokenClaims> verified = Verify(signer_.Sign(claims), kNow_unix_s);
  ASSERT_EQ(verified.status(), absl::OkStatus());
  EXPECT_EQ(verified->rights, kRightRead);
}

TEST(TokenSigner, NeedsA32ByteSeed) {
  const std::vector<std::byte> seed(33);
  EXPECT_EQ(TokenSigner::FromSeed(absl::MakeSpan(seed).subspan(0, 31)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TokenSigner::FromSeed(seed).status().code(), absl::StatusCode::kInvalidArgument);
}

class MemoryDisk final : public Disk {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    if (!read_error.ok()) return read_error;
    const auto file = files.find(path);
    if (file == files.end()) return absl::NotFoundError(path);
    return file->second;
  }
  absl::Status WriteFileAtomically(const std::string& path, std::string_view content,
                                   uint32_t mode) override {
    if (!write_error.ok()) return write_error;
    EXPECT_EQ(mode, 0600u);
    files[path] = std::string(content);
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<BlockQueue>> CreateBlockQueue() override {
    return absl::UnimplementedError("no drives");
  }

  std::map<std::string, std::string> files;
  absl::Status read_error;
  absl::Status write_error;
};

class LoadOrCreateTest : public testing::Test {
 protected:
  absl::StatusOr<TokenSigner> Load() { return TokenSigner::LoadOrCreate(kPath, disk_, random_); }

  static constexpr char kPath[] = "state/token.key";
  MemoryDisk disk_;
  SeededRandom random_{22};
};

TEST_F(LoadOrCreateTest, MakesAKeyOnceAndLoadsItEverAfter) {
  const absl::StatusOr<TokenSigner> made = Load();
  ASSERT_EQ(made.status(), absl::OkStatus());
  EXPECT_THAT(disk_.files[kPath], ::testing::MatchesRegex("[0-9a-f]+\n"));
  const absl::StatusOr<TokenSigner> loaded = Load();
  ASSERT_EQ(loaded.status(), absl::OkStatus());
  EXPECT_EQ(loaded->public_key(), made->public_key());
}

TEST_F(LoadOrCreateTest, NeverReplacesADamagedKey) {
  for (const char* damaged : {"", "not hex", "00ff", "zz"}) {
    disk_.files[kPath] = damaged;
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << damaged;
    EXPECT_THAT(std::string(Std(status.message())), HasSubstr(kPath));
    EXPECT_EQ(disk_.files[kPath], damaged);
  }
}

TEST_F(LoadOrCreateTest, TellsOfTheDiskThatFailed) {
  disk_.read_error = absl::PermissionDeniedError("read");
  EXPECT_EQ(Load().status(), disk_.read_error);
  disk_.read_error = absl::OkStatus();
  disk_.write_error = absl::ResourceExhaustedError("write");
  EXPECT_EQ(Load().status(), disk_.write_error);
}

}  // namespace
}  // namespace cairn
