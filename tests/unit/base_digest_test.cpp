#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

// FIPS 180-2, appendix B, and the empty message.
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillionA =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Digest, PublishedVectors) {
  EXPECT_EQ(sha256(""), kEmpty);
  EXPECT_EQ(sha256("abc"), kAbc);
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), kMillionA);
}

TEST(Digest, FilesAreReadToTheEnd) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(sha256_file(folder.write("a", std::string(1'000'000, 'a'))), kMillionA);
  EXPECT_EQ(sha256_file(folder.write("empty", "")), kEmpty);
  EXPECT_EQ(sha256_file(folder.write("abc", "abc")), kAbc);
}

TEST(File, MissingFilesAndFoldersAreInputErrors) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read_file(folder / "missing"), InputError);
  EXPECT_THROW(read_file(folder / ""), InputError);
  EXPECT_THROW(sha256_file(folder / "missing"), InputError);
}

TEST(File, BytesAreKept) {
  const test::TemporaryFolder folder;
  const std::string bytes("a\0\r\n\xff", 5);
  EXPECT_EQ(read_file(folder.write("bytes", bytes)), bytes);
}

}  // namespace
}  // namespace sagitta
