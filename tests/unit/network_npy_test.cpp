#include "network/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/philox.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

std::string npy(const std::string& header, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8);
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + header + data;
}

std::string header(const std::string& descr, const std::string& shape,
                   const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Npy, RoundTrips) {
  const test::TemporaryFolder folder;
  write_npy(folder / "a.npy", {2, 3}, std::vector<std::int8_t>{-128, -1, 0, 1, 2, 127});
  const NpyArray a = read_npy(folder / "a.npy");
  EXPECT_EQ(a.type, NpyType::int8);
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(a.as_int8(""), (std::vector<std::int8_t>{-128, -1, 0, 1, 2, 127}));
  write_npy(folder / "b.npy", {2}, std::vector<std::int32_t>{-2'147'483'647 - 1, 2'147'483'647});
  EXPECT_EQ(read_npy(folder / "b.npy").as_int32(""),
            (std::vector<std::int32_t>{-2'147'483'647 - 1, 2'147'483'647}));
  write_npy(folder / "c.npy", {}, std::vector<std::uint8_t>{200});
  EXPECT_EQ(read_npy(folder / "c.npy").as_double(), std::vector<double>{200});
  write_npy(folder / "d.npy", {0, 4}, std::vector<std::uint8_t>{});
  EXPECT_EQ(read_npy(folder / "d.npy").elements(), 0);
}

TEST(Npy, DataStartsAtAMultipleOf64) {
  const test::TemporaryFolder folder;
  std::vector<std::int64_t> shape;
  for (int rank = 0; rank < 30; ++rank, shape.push_back(1)) {
    write_npy(folder / "a.npy", shape, std::vector<std::int8_t>{42});
    const std::string bytes = read_file(folder / "a.npy");
    EXPECT_EQ(bytes.size() % 64, 1U);
    EXPECT_EQ(bytes[bytes.size() - 2], '\n');
  }
}

TEST(Npy, WritingLeavesNothingBehind) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(write_npy(folder / "no/folder.npy", {1}, std::vector<std::int8_t>{1}), InputError);
  EXPECT_THROW(write_npy(folder / "a.npy", {2}, std::vector<std::int8_t>{1}),
               std::invalid_argument);
  write_npy(folder / "a.npy", {1}, std::vector<std::int8_t>{1});
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1);
}

TEST(Npy, AllTypesAndVersions) {
  const test::TemporaryFolder folder;
  const auto read = [&](const std::string& descr, const std::string& data, int version) {
    return read_npy(folder.write("a.npy", npy(header(descr, "(2,)"), data, version))).as_double();
  };
  const std::vector<double> expected = {1, 2};
  EXPECT_EQ(read("|i1", bytes_of<std::int8_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("|u1", bytes_of<std::uint8_t>({1, 2}), 2), expected);
  EXPECT_EQ(read("<i2", bytes_of<std::int16_t>({1, 2}), 3), expected);
  EXPECT_EQ(read("<u2", bytes_of<std::uint16_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("<i4", bytes_of<std::int32_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("<u4", bytes_of<std::uint32_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("<i8", bytes_of<std::int64_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("<u8", bytes_of<std::uint64_t>({1, 2}), 1), expected);
  EXPECT_EQ(read("<f4", bytes_of<float>({1, 2}), 1), expected);
  EXPECT_EQ(read("<f8", bytes_of<double>({1, 2}), 1), expected);
}

TEST(Npy, FortranOrderIsTurned) {
  const test::TemporaryFolder folder;
  // [[0, 1, 2], [3, 4, 5]] by columns.
  const std::string data = bytes_of<std::int16_t>({0, 3, 1, 4, 2, 5});
  const NpyArray a = read_npy(folder.write("a.npy", npy(header("<i2", "(2, 3)", "True"), data)));
  EXPECT_EQ(a.as_int8(""), (std::vector<std::int8_t>{0, 1, 2, 3, 4, 5}));
}

TEST(Npy, ValuesThatDoNotFitAreRefused) {
  const test::TemporaryFolder folder;
  const auto read = [&](const std::string& descr, const std::string& data) {
    return read_npy(folder.write("a.npy", npy(header(descr, "(1,)"), data)));
  };
  EXPECT_THROW(read("<i2", bytes_of<std::int16_t>({128})).as_int8("f"), InputError);
  EXPECT_THROW(read("<i8", bytes_of<std::int64_t>({1LL << 31})).as_int32("f"), InputError);
  EXPECT_THROW(read("<f4", bytes_of<float>({0.5F})).as_int32("f"), InputError);
  EXPECT_THROW(read("<f8", bytes_of<double>({std::nan("")})).as_int32("f"), InputError);
  EXPECT_EQ(read("<f4", bytes_of<float>({-7})).as_int32("f"), std::vector<std::int32_t>{-7});
}

TEST(Npy, MalformedFilesAreInputErrors) {
  const test::TemporaryFolder folder;
  const std::string good = header("|i1", "(2,)");
  const std::string cases[] = {
      "",
      "\x93NUMPY",
      "PK\x03\x04 an archive",
      npy(good, "ab", 4),
      npy(good, "a"),
      npy(good, "abc"),
      npy(good, "ab").substr(0, 40),
      npy("", "ab"),
      npy("{}", "ab"),
      npy("{'descr': '|i1', 'shape': (2,), }", "ab"),
      npy("{'descr': '|i1', 'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", "ab"),
      npy(good + "x", "ab"),
      npy(header(">i2", "(1,)"), "ab"),
      npy(header("|O", "(2,)"), "ab"),
      npy(header("<U1", "(2,)"), "ab"),
      npy(header("", "(2,)"), "ab"),
      npy("{'descr': [('a', '|i1')], 'fortran_order': False, 'shape': (2,), }", "ab"),
      npy(header("|i1", "(-2,)"), "ab"),
      npy(header("|i1", "2"), "ab"),
      npy(header("|i1", "(2, x)"), "ab"),
      npy(header("|i1", "(9223372036854775807, 2)"), "ab"),
      npy(header("|i1", "(99999999999999999999,)"), "ab"),
      npy(header("<i8", "(4611686018427387904, 4)"), "ab"),
      npy(header("|i1", "(2,)", "Maybe"), "ab"),
      npy("{'descr': '|i1", "ab"),
  };
  for (const std::string& bytes : cases) {
    const std::string file = folder.write("bad.npy", bytes);
    try {
      read_npy(file);
      ADD_FAILURE() << "accepted: " << bytes;
    } catch (const InputError& error) {
      EXPECT_EQ(error.file(), file);
    }
  }
  EXPECT_THROW(read_npy(folder / "missing.npy"), InputError);
  EXPECT_THROW(read_npy(folder / ""), InputError);
}

TEST(Npy, RandomDamageNeverEscapesAsAnotherError) {
  const test::TemporaryFolder folder;
  const std::string good = npy(header("<i4", "(2, 2)"), bytes_of<std::int32_t>({1, 2, 3, 4}));
  Stream stream(21, 0, Purpose::test);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (int flips = 0; flips < 2; ++flips) {
      bad[stream.below(bad.size())] = static_cast<char>(stream.below(256));
    }
    try {
      read_npy(folder.write("bad.npy", bad));
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace sagitta
